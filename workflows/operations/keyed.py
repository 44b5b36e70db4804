"""Digests for the audit trail of what people could guess: without the key nobody finds out what it was."""

from typing import Any

from django.utils.crypto import salted_hmac

from dotdo_site.lib import canonical


def digest(salt: str, value: Any) -> str:
    """Return 64 hex digits that are the same for the same value, here and for this salt only."""
    return salted_hmac(f"workflows.operations.{salt}", canonical.dumps(value), algorithm="sha256").hexdigest()
