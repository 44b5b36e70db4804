"""API keys: `dotdo_<8 id>_<32 secret>`, shown once. The secret has 190 random bits, so one keyed hash is enough."""

import hashlib
import hmac
import re
import secrets
import string
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.recording import record
from dotdo_site.access import owners
from dotdo_site.access import scopes as scope_table
from dotdo_site.access.models import ApiKey

if TYPE_CHECKING:
    from django.contrib.auth.models import User

DEFAULT_LIFE = timedelta(days=90)
MAX_LIFE = timedelta(days=366)
COARSE = timedelta(minutes=1)
_FORMAT = re.compile(r"dotdo_([0-9A-Za-z]{8})_([0-9A-Za-z]{32})")
_ALPHABET = string.digits + string.ascii_letters


class KeyRefused(ValueError):
    """A key cannot be issued as asked. The message says why."""


def issue(
    name: str, owner: "User", scopes: list[str], *, actor: str, expires_in: timedelta = DEFAULT_LIFE
) -> tuple[ApiKey, str]:
    """Create a key and return it with its plaintext, which is shown this once. Raises KeyRefused, UnknownScope."""
    _check(name, expires_in)
    prefix, secret = _random(8), _random(32)
    key = ApiKey(
        name=name.strip(),
        owner=owner,
        prefix=prefix,
        digest=_digest(prefix, secret),
        scopes=scope_table.check(scopes),
        expires_at=timezone.now() + expires_in,
    )
    with transaction.atomic():
        key.save(force_insert=True)
        record(chain=key.id, kind="key.issued", actor=actor, data=_facts(key))
    return key, f"dotdo_{prefix}_{secret}"


def verify(plaintext: str, now: datetime) -> ApiKey | None:
    """Return the live key that the text is, with its owner; None for anything else, after the same comparison."""
    match = _FORMAT.fullmatch(plaintext)
    if match is None:
        return None
    prefix, secret = match.groups()
    key = owners.find(prefix)
    expected = key.digest if key else "0" * 64
    same = hmac.compare_digest(_digest(prefix, secret), expected)
    return key if key and same and _live(key, now) else None


def revoke(key: ApiKey, *, actor: str, reason: str) -> bool:
    """Make the key useless at once; return whether it was still in force."""
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            return False
        record(chain=key.id, kind="key.revoked", actor=actor, reason=reason, data={"prefix": key.prefix})
    return True


def note_use(key: ApiKey, now: datetime) -> None:
    """Remember when the key was last used, to the minute: at most one write per key and minute."""
    if key.last_used_at is None or now - key.last_used_at >= COARSE:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def _check(name: str, expires_in: timedelta) -> None:
    if not name.strip() or len(name) > 100:
        raise KeyRefused("a key needs a name of 1 to 100 characters, so that people know what it is for")
    if not timedelta(0) < expires_in <= MAX_LIFE:
        raise KeyRefused(f"a key may live for up to {MAX_LIFE.days} days")
    if not settings.API_KEY_PEPPER:
        raise KeyRefused("no pepper is set: run `make up` once, or set DOTDO_API_KEY_PEPPER")


def _live(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and now < key.expires_at and key.owner.is_active


def _digest(prefix: str, secret: str) -> str:
    return hmac.new(settings.API_KEY_PEPPER.encode(), f"{prefix}:{secret}".encode(), hashlib.sha256).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _facts(key: ApiKey) -> dict[str, object]:
    return {
        "name": key.name,
        "owner": key.owner.get_username(),
        "prefix": key.prefix,
        "scopes": key.scopes,
        "expires_at": key.expires_at.isoformat(),
    }
