"""Which places may be connected to: a name is resolved once, *all* its addresses are checked, then the peer again.

The connection goes to a checked literal, so neither a second DNS answer nor an odd spelling leads anywhere else.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from functools import lru_cache

from django.conf import settings

from actions.errors import ActionError
from actions.handlers import addresses

WEB_PORTS = frozenset({80, 443})
MAIL_PORTS = frozenset({25, 465, 587})
MAX_ADDRESSES = 4

Resolver = Callable[[str, int], Iterable[str]]


def is_named(host: str, port: int) -> bool:
    """Tell whether the allow-list names exactly this host: an administrator vouches for the way there."""
    return any(entry.host == host.lower() and entry.port in (None, port) for entry in allow_list())


def allow_list() -> tuple[addresses.Allowed, ...]:
    """Return the parsed setting OUTGOING_ALLOW. Raises ValueError for an entry that means nothing."""
    return _parsed(tuple(settings.OUTGOING_ALLOW))


def check_host(host: str, port: int, ports: Iterable[int], resolver: Resolver | None = None) -> list[str]:
    """Return the addresses of a host that may be connected to. Raises ActionError."""
    name = host.strip("[]").rstrip(".").lower()
    found = list(dict.fromkeys(resolve(name, port) if resolver is None else resolver(name, port)))
    checked = [text for text in found if may_reach(name, text, port, ports)]
    if not found or len(checked) < len(found):
        raise blocked(host, port)
    return checked[:MAX_ADDRESSES]


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host name. Raises ActionError when there are none."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        text = getattr(error, "strerror", None) or "not a host name"
        raise ActionError(
            "connection_failed", f"{host} cannot be resolved: {text}", retryable=True, definite=True
        ) from None


def open_socket(
    host: str, port: int, timeout: float, ports: Iterable[int], resolver: Resolver | None = None
) -> socket.socket:
    """Return a TCP connection to a checked address of the host; they share the time. Raises ActionError."""
    reason, end = "no address answered", time.monotonic() + timeout
    for address in check_host(host, port, ports, resolver):
        try:
            connection = socket.create_connection((address, port), max(0.1, end - time.monotonic()))
            connection.settimeout(timeout)
        except OSError as error:
            reason = error.strerror or str(error)
            continue
        if not may_reach(host.rstrip(".").lower(), str(connection.getpeername()[0]), port, ports):
            connection.close()
            raise blocked(host, port)
        return connection
    raise ActionError("connection_failed", f"no connection to {host}:{port}: {reason}", retryable=True, definite=True)


def may_reach(host: str, text: str, port: int, ports: Iterable[int]) -> bool:
    """Tell whether an address, given as text, may be connected to for `host`."""
    address = ipaddress.ip_address(text.split("%", maxsplit=1)[0])
    if addresses.is_allowed(allow_list(), host, address, port):
        return True
    return port in ports and addresses.is_public(address)


def blocked(host: str, port: int) -> ActionError:
    """Return the error for a place that may not be reached; it does not say what was found there."""
    return ActionError(
        "blocked_address",
        f"{host}:{port} may not be reached: its port or one of its addresses is not public. An administrator can "
        "allow it with DOTDO_OUTGOING_ALLOW (host:port, address:port or network)",
        retryable=False,
    )


@lru_cache(maxsize=8)
def _parsed(entries: tuple[str, ...]) -> tuple[addresses.Allowed, ...]:
    return tuple(addresses.parse(entry) for entry in entries)


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Return the settings for verified TLS."""
    return ssl.create_default_context()
