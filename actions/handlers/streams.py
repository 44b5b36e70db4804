"""Connections for httpcore: only to checked addresses, and every operation within one total deadline."""
# ruff: noqa: ARG002 - the signatures are httpcore's

import ssl
import time
from dataclasses import dataclass, field
from typing import Any

import httpcore

from actions.errors import ActionError
from actions.handlers.reach import WEB_PORTS, Resolver, blocked, check_host, may_reach

CONNECT_SECONDS = 5.0
WRITE_CHUNK = 65_536


@dataclass(slots=True)
class GuardedBackend(httpcore.NetworkBackend):
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
            if not may_reach(name, str(stream.get_extra_info("server_addr")[0]), port, WEB_PORTS):
                stream.close()
                raise blocked(host, port)
            return BoundedStream(stream, self)
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


class BoundedStream(httpcore.NetworkStream):
    """A stream whose every operation is given only what is left of the total deadline."""

    def __init__(self, stream: httpcore.NetworkStream, backend: GuardedBackend) -> None:
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
        return BoundedStream(
            self.stream.start_tls(ssl_context, server_hostname, self.backend.left(CONNECT_SECONDS)), self.backend
        )

    def get_extra_info(self, info: str) -> Any:
        """Return what the stream below knows."""
        return self.stream.get_extra_info(info)
