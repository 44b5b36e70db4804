"""The one way out: connections that cannot be led to an inner address, within one total deadline, to a size limit.

A name is resolved once, *all* its addresses are checked, the connection goes to a checked literal, and the peer is
checked again; so neither a second DNS answer nor an odd spelling of an address leads anywhere else.
"""

import ipaddress
import json as json_module
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import httpcore
import httpx
from django.conf import settings

from actions import running
from actions.errors import ActionError
from actions.handlers import addresses

WEB_PORTS = frozenset({80, 443})
MAIL_PORTS = frozenset({25, 465, 587})
MAX_BYTES = 1024 * 1024
CONNECT_SECONDS = 5.0
DEFAULT_SECONDS = 30.0
WRITE_CHUNK = 65_536
MAX_ADDRESSES = 4
OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "upgrade", "te"}
)

Resolver = Callable[[str, int], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `headers` has lower-case names; the body is complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body read as JSON. Raises ActionError `invalid_response`."""
        try:
            return json_module.loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ActionError("invalid_response", f"the answer is not JSON: {error}", definite=False) from None


@dataclass(slots=True)
class GuardedClient:
    """An HTTP client for handlers. `deadline` (monotonic seconds) bounds the whole exchange, not each read."""

    deadline: float | None = None
    resolver: Resolver | None = None

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes = b"",
        timeout: float = DEFAULT_SECONDS,
    ) -> Answer:
        """Send one request and return the answer, whatever its status; redirects are returned, not followed.

        `timeout` is in seconds for everything together. Raises ActionError: `blocked_address` and `invalid_url` (final),
        `connection_failed`, `connection_lost`, `deadline_exceeded` (retryable), `response_too_large`.
        """
        _refuse_in_transaction()
        target = _target(url, query)
        body = content if json is None else json_bytes(json)
        kind = {} if json is None else {"Content-Type": "application/json"}
        end = time.monotonic() + timeout
        end = end if self.deadline is None else min(end, self.deadline)
        return _exchange(method, target, _headers(target, {**kind, **(headers or {})}, body), body, end, self.resolver)


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON in UTF-8. Raises ValueError for NaN."""
    return json_module.dumps(value, allow_nan=False, ensure_ascii=False).encode()


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
    checked = [text for text in found if _may_reach(name, text, port, ports)]
    if not found or len(checked) < len(found):
        raise _blocked(host, port)
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
    """Return a TCP connection to a checked address of the host. Raises ActionError."""
    reason = "no address answered"
    for address in check_host(host, port, ports, resolver):
        try:
            connection = socket.create_connection((address, port), timeout)
        except OSError as error:
            reason = error.strerror or str(error)
            continue
        if not _may_reach(host.rstrip(".").lower(), str(connection.getpeername()[0]), port, ports):
            connection.close()
            raise _blocked(host, port)
        return connection
    raise ActionError("connection_failed", f"no connection to {host}:{port}: {reason}", retryable=True, definite=True)


def _may_reach(host: str, text: str, port: int, ports: Iterable[int]) -> bool:
    address = ipaddress.ip_address(text.split("%")[0])
    if addresses.is_allowed(allow_list(), host, address, port):
        return True
    return port in ports and addresses.is_public(address)


def _blocked(host: str, port: int) -> ActionError:
    return ActionError(
        "blocked_address",
        f"{host}:{port} may not be reached: its port or one of its addresses is not public. An administrator can "
        "allow it with DOTDO_OUTGOING_ALLOW (host:port, address:port or network)",
        retryable=False,
    )


@lru_cache(maxsize=8)
def _parsed(entries: tuple[str, ...]) -> tuple[addresses.Allowed, ...]:
    return tuple(addresses.parse(entry) for entry in entries)


def _refuse_in_transaction() -> None:
    current = running.current()
    if current is not None and current.transactional:
        raise ActionError(
            "http_in_transaction",
            f"{current.action} is transactional: a request that was sent cannot be rolled back, and locks would wait "
            "for a stranger. Set transactional=False, or split it into two actions of a workflow",
            retryable=False,
        )


def _target(url: str, query: Mapping[str, Any] | None) -> httpx.URL:
    try:
        target = httpx.URL(url)
        target = target.copy_merge_params(dict(query)) if query else target
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise ActionError("invalid_url", f"not a URL: {error}", retryable=False) from None
    if target.scheme not in ("http", "https") or not target.host or target.userinfo:
        raise ActionError("invalid_url", "only http:// and https:// URLs without user name are called", retryable=False)
    return target


def _headers(target: httpx.URL, given: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    merged = {"user-agent": "dotdo", "accept": "*/*"} | {name.lower(): str(value) for name, value in given.items()}
    for name, value in merged.items():
        if name in OWN_HEADERS:
            raise ActionError("invalid_header", f"the header {name} is set by the client itself", retryable=False)
        if any(character in name + value for character in "\r\n\0"):
            raise ActionError("invalid_header", f"the header {name} contains a line break", retryable=False)
    merged["host"] = target.netloc.decode("ascii")
    merged["accept-encoding"] = "identity"
    if body:
        merged["content-length"] = str(len(body))
    try:
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in merged.items()]
    except UnicodeEncodeError:
        raise ActionError("invalid_header", "a header has characters beyond latin-1", retryable=False) from None


def _exchange(
    method: str,
    target: httpx.URL,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    end: float,
    resolver: Resolver | None,
) -> Answer:
    url = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path or b"/")
    backend = _Backend(end, resolver)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=tls_context(), network_backend=backend, retries=0) as pool,
            pool.stream(method.upper(), url, headers=headers, content=body or None) as answer,
        ):
            return _read(answer, end)
    except ssl.SSLError as error:
        raise ActionError(
            "connection_failed", f"TLS with {target.host}: {error}", retryable=True, definite=True
        ) from None
    except httpcore.ConnectError as error:
        raise ActionError(
            "connection_failed", f"no connection to {target.host}: {error}", retryable=True, definite=True
        ) from None
    except httpcore.TimeoutException:
        raise _late(target.host, definite=not backend.sent) from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise ActionError(
            "connection_lost",
            f"the connection to {target.host} broke before the answer was complete: {error}",
            retryable=True,
            definite=not backend.sent,
        ) from None


def _late(host: str, definite: bool) -> ActionError:
    return ActionError("deadline_exceeded", f"{host} did not answer in time", retryable=True, definite=definite)


def _read(answer: httpcore.Response, end: float) -> Answer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
    if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise ActionError(
            "encoded_response",
            "the answer is compressed although identity was asked for",
            retryable=False,
            definite=False,
        )
    body = bytearray()
    for chunk in answer.iter_stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise ActionError(
                "response_too_large", f"the answer is larger than {MAX_BYTES} bytes", retryable=False, definite=False
            )
        if time.monotonic() > end:
            raise httpcore.ReadTimeout
    return Answer(answer.status, headers, bytes(body))


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Return the settings for verified TLS."""
    return ssl.create_default_context()


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


@dataclass(slots=True)
class _Backend(httpcore.NetworkBackend):
    """Opens checked connections only; `sent` tells whether a request may have left."""

    end: float
    resolver: Resolver | None = None
    sent: bool = False
    inner: httpcore.SyncBackend = field(default_factory=httpcore.SyncBackend)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first checked address that answers."""
        name = host.strip("[]").rstrip(".").lower()
        error: Exception = httpcore.ConnectError(f"no address of {host} answered")
        for address in check_host(host, port, WEB_PORTS, self.resolver):
            try:
                stream = self.inner.connect_tcp(
                    address, port, self.left(CONNECT_SECONDS), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                error = failure
                continue
            if not _may_reach(name, str(stream.get_extra_info("server_addr")[0]), port, WEB_PORTS):
                stream.close()
                raise _blocked(host, port)
            return _Stream(stream, self)
        raise error

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        """Refuse: files are not the outside."""
        raise ActionError("blocked_address", "unix sockets may not be reached", retryable=False)

    def sleep(self, seconds: float) -> None:
        """Wait; unused, because nothing is retried here."""
        time.sleep(min(seconds, self.left()))

    def left(self, most: float = float("inf")) -> float:
        """Return the seconds that an operation may take. Raises httpcore.ReadTimeout when there are none."""
        left = min(self.end - time.monotonic(), most)
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


class _Stream(httpcore.NetworkStream):
    """A stream whose every operation is given only what is left of the total deadline."""

    def __init__(self, stream: httpcore.NetworkStream, backend: _Backend) -> None:
        self.stream, self.backend = stream, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there."""
        return self.stream.read(max_bytes, self.backend.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all, in pieces."""
        for start in range(0, len(buffer), WRITE_CHUNK):
            left = self.backend.left()
            self.backend.sent = True
            self.stream.write(buffer[start : start + WRITE_CHUNK], left)

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin TLS; the certificate must be the host's, not the address's."""
        return _Stream(
            self.stream.start_tls(ssl_context, server_hostname, self.backend.left(CONNECT_SECONDS)), self.backend
        )

    def get_extra_info(self, info: str) -> Any:
        """Return what the stream below knows."""
        return self.stream.get_extra_info(info)
