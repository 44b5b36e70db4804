"""The outside world: an HTTP sink that counts and lies, and mail that is only counted.

The sink behaves as a good receiver should: it remembers the highest fence of each key and refuses smaller ones. And as
bad ones do: it drops connections, hangs, or answers 500 after it has counted.
"""

import json
import random
import socketserver
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integration.actions import post

DROPS, HANGS, FAILS = 0.03, 0.03, 0.04
HANG_SECONDS = 2.0
STALE = 409


@dataclass(frozen=True)
class Delivery:
    """One request that reached the sink: what it was for, its fence, the status it got (0: the line was dropped)."""

    key: str
    fence: int
    place: str
    status: int


@dataclass
class Sink:
    """What arrived, in order, and the addresses to call back."""

    seed: int
    lies: bool
    port: int = 0
    deliveries: list[Delivery] = field(default_factory=list)
    callbacks: list[tuple[str, str]] = field(default_factory=list)  # the run, and where it wants to be called
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed} sink")
        self.highest: dict[str, int] = defaultdict(int)

    @property
    def url(self) -> str:
        """The address for actions."""
        return f"http://127.0.0.1:{self.port}/"

    def count(self, key: str, fence: int, body: dict[str, Any]) -> tuple[int, float]:
        """Count a request; return the status it gets (0: none) and how long it waits before."""
        with self.lock:
            status, pause = self._verdict(fence < self.highest[key])
            self.highest[key] = max(fence, self.highest[key])
            self.deliveries.append(Delivery(key, fence, str(body.get("place", "")), status))
            if body.get("callback"):
                self.callbacks.append((key.partition(":")[0], body["callback"]))
        return status, pause

    def take_callbacks(self) -> list[tuple[str, str]]:
        """Return the addresses that came since the last time."""
        with self.lock:
            found, self.callbacks = self.callbacks, []
        return found

    def _verdict(self, stale: bool) -> tuple[int, float]:
        draw = self.random.random() if self.lies else 1.0
        if stale:
            return STALE, 0.0
        if draw < DROPS:
            return 0, 0.0
        if draw < DROPS + HANGS:
            return 200, HANG_SECONDS
        return (500 if draw < DROPS + HANGS + FAILS else 200), 0.0


@contextmanager
def serving(seed: int, lies: bool) -> Iterator[Sink]:
    """Serve the sink on a free port."""
    sink = Sink(seed, lies)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.sink = sink
    sink.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def mail() -> Iterator[post.Post]:
    """Take mails on a free port."""
    socketserver.BaseServer.handle_error = _quiet  # type: ignore[assignment, method-assign]
    with post.listening() as found:
        yield found


def _quiet(_server: socketserver.BaseServer, request: Any, client_address: Any) -> None:
    """Say nothing: callers are killed in the middle of their requests."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    sink: Sink


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key, fence = self.headers.get("Idempotency-Key", ""), int(self.headers.get("X-Dotdo-Fence", "0"))
        status, pause = self.server.sink.count(key, fence, json.loads(body or b"{}"))
        time.sleep(pause)
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of http.server
        """Stay quiet."""
