"""When a handler began: it says so itself, over a socket, to the process that measures; the monotonic clock is one."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

ADDRESS = "BENCH_MARKS"
_to = os.environ.get(ADDRESS, "")
_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if _to else None


def mark() -> None:
    """Say that a handler begins, where somebody listens."""
    if _socket is not None:
        with suppress(OSError):  # nobody reads any more
            _socket.sendto(repr(time.monotonic()).encode(), socket.MSG_DONTWAIT, _to)


class Marks:
    """What handlers said."""

    def __init__(self, heard: socket.socket) -> None:
        self._heard = heard

    def wait(self, count: int) -> list[float]:
        """Return the next so many moments; TimeoutError when one does not come within 30 s."""
        return [float(self._heard.recv(64)) for _ in range(count)]


@contextmanager
def marks() -> Iterator[Marks]:
    """Listen to handlers of the processes that are started within the block."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(os.environ.setdefault(ADDRESS, str(Path(folder, "marks"))))
        heard.settimeout(30)
        try:
            yield Marks(heard)
        finally:
            del os.environ[ADDRESS]
