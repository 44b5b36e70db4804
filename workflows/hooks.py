"""The address at which one run can be called from outside: its id and a keyed digest of it, which nobody can guess.

The digest is keyed with SECRET_KEY, so nothing is stored; SECRET_KEY_FALLBACKS keep older addresses working.
"""

import base64
import hmac
import re
import uuid

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "workflows.hooks"
DIGEST_BYTES = 20
NAME = r"[A-Za-z0-9_-]{1,63}"
_TOKEN = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{27})")
_NOBODY = ("0" * 32, "")


def url(run_id: uuid.UUID) -> str:
    """Return the absolute address of the run's webhook."""
    return settings.PUBLIC_URL + path(run_id)


def path(run_id: uuid.UUID) -> str:
    """Return the address of the run's webhook on this server."""
    return f"/hooks/{token(run_id)}"


def token(run_id: uuid.UUID) -> str:
    """Return the credential of a run's webhook."""
    return f"{run_id.hex}.{_digest(run_id.hex, settings.SECRET_KEY)}"


def run_of(text: str) -> uuid.UUID | None:
    """Return the run whose credential this is; None for anything else, and in the same time."""
    match = _TOKEN.fullmatch(text)
    number, digest = match.groups() if match else _NOBODY
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    good = [hmac.compare_digest(_digest(number, str(key)), digest) for key in keys]
    return uuid.UUID(number) if any(good) else None


def _digest(number: str, key: str) -> str:
    digest = salted_hmac(SALT, number, secret=key, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest[:DIGEST_BYTES]).decode().rstrip("=")
