"""How secrets travel with a request: only over TLS or to a host that is vouched for, and as which header."""

import base64

from actions import running
from actions.errors import ActionError
from actions.handlers import guard, reach


def host_for_secrets(url: str) -> str:
    """Return `host` or `host:port` of a URL that a secret may be sent to. Raises ActionError `secret_refused`."""
    target = guard.parse_url(url)
    if target.scheme != "https" and not reach.is_named(target.host, target.port or 80):
        raise ActionError("secret_refused", "a secret is only sent over https", retryable=False)
    return target.netloc.decode()


def basic(username: str, password: str) -> str:
    """Return the value of the Authorization header for a user name and a password."""
    joined = base64.b64encode(f"{username}:{password}".encode()).decode()
    if (current := running.current()) is not None:
        current.reveal([joined])
    return f"Basic {joined}"
