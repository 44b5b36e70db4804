"""Read an API key, its owner, and what the owner may do, with one prepared statement: every request begins with it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import psycopg
from django.contrib.auth.models import User
from django.db import connection, models

from dotdo_site.access.models import ApiKey

# What `django.contrib.auth.backends.ModelBackend` asks for with two queries: a test compares them.
_PERMISSIONS = """ARRAY(
    SELECT t.app_label || '.' || p.codename
    FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
    WHERE p.id IN (
        SELECT permission_id FROM auth_user_user_permissions WHERE user_id = o.id
        UNION ALL
        SELECT g.permission_id FROM auth_group_permissions g JOIN auth_user_groups m USING (group_id)
        WHERE m.user_id = o.id))"""


def find(prefix: str) -> ApiKey | None:
    """Return the key with its owner, whose permissions are known then; None when there is no key with this prefix."""
    # Django's cursor looks first whether the connection still lives.
    with connection.cursor(), connection.wrap_database_errors, psycopg.RawCursor(connection.connection) as cursor:
        row = cursor.execute(_statement(), [prefix], prepare=True).fetchone()
    if row is None:
        return None
    columns = len(_fields(ApiKey))
    key: ApiKey = _made(ApiKey, row[:columns])
    key.owner = _made(User, row[columns:-1])
    if key.owner.is_active and not key.owner.is_superuser:
        key.owner._perm_cache = set(row[-1])  # type: ignore[attr-defined] # noqa: SLF001 - where Django keeps them
    return key


@lru_cache(maxsize=1)
def _statement() -> str:
    columns = [f"{name}.{field.column}" for name, model in (("k", ApiKey), ("o", User)) for field in _fields(model)]
    return f"""SELECT {", ".join(columns)}, {_PERMISSIONS}
        FROM api_key k JOIN auth_user o ON o.id = k.owner_id WHERE k.prefix = $1"""  # noqa: S608 - constants


def _made(model: type[models.Model], row: Any) -> Any:
    fields = _fields(model)
    values = [
        field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
        for field, value in zip(fields, row, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], values)


def _fields(model: type[models.Model]) -> Sequence["models.Field[Any, Any]"]:
    return model._meta.concrete_fields  # noqa: SLF001 - Django's public name for them
