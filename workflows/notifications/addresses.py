"""How an address is shown: of a webhook only where it is, because the path often is the secret."""

import hashlib
from urllib.parse import urlsplit

from dotdo_site.lib import canonical

SHOWN_DIGITS = 8


def traced(webhook: str) -> dict[str, str]:
    """Return what the audit trail says of a webhook, which it keeps for ever."""
    if not webhook:
        return {}
    parts = urlsplit(webhook)
    return {"place": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", "digest": digest(webhook)}


def shown(channel: str, address: str) -> str:
    """Return an address as everybody sees it who may see messages."""
    if channel != "webhook":
        return address
    found = traced(address)
    return f"{found['place']} ({found['digest'][:SHOWN_DIGITS]})"


def digest(*texts: str) -> str:
    """Return what tells one address, or list of addresses, from another."""
    return hashlib.sha256(canonical.dumps(texts).encode()).hexdigest()[:16]
