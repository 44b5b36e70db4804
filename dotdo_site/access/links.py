"""One-time sign-in links: 256 random bits, good once, for 15 minutes, from this machine. Only the digest is stored."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from audit.recording import record
from dotdo_site.access import people
from dotdo_site.access.models import SignInLink

LIFE = timedelta(minutes=15)


def create(user: User, *, actor: str, now: datetime) -> str:
    """Return the token of a new link for the user."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        SignInLink.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()
        SignInLink.objects.create(user=user, digest=_digest(token), expires_at=now + LIFE)
        record(chain=people.chain(user), kind="link.issued", actor=actor, data={"user": user.username})
    return token


def redeem(token: str, now: datetime) -> User | None:
    """Use the link up and return its user; None when it is unknown, used, too old, or the user is not active."""
    link = SignInLink.objects.filter(digest=_digest(token))
    good = link.filter(used_at=None, expires_at__gt=now, user__is_active=True)
    return link.select_related("user").get().user if good.update(used_at=now) else None


def owner(token: str) -> User | None:
    """Return whom the link was made for, used or not."""
    link = SignInLink.objects.select_related("user").filter(digest=_digest(token)).first()
    return link.user if link else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
