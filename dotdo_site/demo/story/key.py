"""The API key of one performance: it lives for an hour at most and is revoked at the end, whatever happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.contrib.auth.models import User

from dotdo_site.access import keys, people

LIFE = timedelta(hours=1)
SCOPES = ["read", "start:workflow:customer-onboarding", "retry", "datastore:read", "audit:read"]


@contextmanager
def temporary_key(actor: str) -> Iterator[str]:
    """Issue a key in the name of an administrator and revoke it when the block ends. Raises NoSuchPerson."""
    owner = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    key, plaintext = keys.issue(
        "make demo", owner or people.administrator("admin"), SCOPES, actor=actor, expires_in=LIFE
    )
    try:
        yield plaintext
    finally:
        keys.revoke(key, actor=actor, reason="the demo is over")
