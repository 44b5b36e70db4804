"""A check for code that was rolled back: the database has migrations that this code does not have."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 - Django's name
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection
from django.db.migrations.loader import MigrationLoader


@register(Tags.database)
def check_newer_schema(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that no newer code has migrated the database."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    try:
        unknown = _unknown()
    except DatabaseError:
        return []  # `dotdo_site/database_checks.py` says so
    if not unknown:
        return []
    text = f"Newer code has migrated this database: {', '.join(unknown)}."
    hint = "The release just before it works on such a database; anything older may not. Start the newer code again."
    return [Warning(text, hint=hint, id="dotdo.W085")]


def _unknown() -> list[str]:
    loader = MigrationLoader(connection)
    ours = {config.label for config in apps.get_app_configs()}
    applied = set(loader.applied_migrations) - set(loader.disk_migrations)
    return sorted(f"{label}.{name}" for label, name in applied if label in ours)
