"""A system check on what is stored: every secret can still be read."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import transaction

from actions import rotation

HINT = (
    "Put the key back into DOTDO_SECRETS_KEYS. If it is lost for good: `manage.py rotate_secrets --drop-unreadable` "
    "empties the secrets that need it; set them again in the admin, under Connections."
)


@register(Tags.database)
def check_stored_secrets(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that the keys are there that stored secrets were encrypted with; asked when the database may be."""
    if "default" not in (databases or ()):
        return []
    try:
        with transaction.atomic():
            missing = rotation.missing_keys()
    except (DatabaseError, ImproperlyConfigured):
        return []  # no table yet, no database or no keys at all: others say so
    text = "Stored secrets need keys that DOTDO_SECRETS_KEYS does not have: {}."
    return [Error(text.format(", ".join(missing)), hint=HINT, id="dotdo.E006")] if missing else []
