"""Marks: the first and the last step of a run tell when they ran, through a named pipe that everybody writes to."""

import fcntl
import os
import select
import tempfile
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

STEPS = 10
PIPE = "BENCH_MARKS"
CAPACITY = 1 << 20
WAIT_SECONDS = 60.0


def mark(key: str, number: int) -> None:
    """Note that step `number` (from 1) of a run is executed now; a line this short is written whole."""
    if number in (1, STEPS):
        os.write(_pipe(), f"{key} {number} {time.time_ns()}\n".encode())


@cache
def _pipe() -> int:
    return os.open(os.environ[PIPE], os.O_WRONLY)


class Marks:
    """The reading end; its path is in the environment of every process that is started afterwards."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "marks"
        os.mkfifo(path)
        self.pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # also a writer: never at its end
        fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, CAPACITY)
        os.environ[PIPE] = str(path)
        self.rest = b""

    def until(self, keys: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Wait until each run has marked its first and its last step; return both times. Raises TimeoutError."""
        wanted, seen = set(keys), dict[str, dict[int, int]]()
        missing = set(wanted)
        end = time.monotonic() + WAIT_SECONDS
        while missing:
            for key, number, at in self._read(end):
                if key in wanted:
                    times = seen.setdefault(key, {})
                    times.setdefault(number, at)  # a step may run twice: the first time counts
                    if len(times) == 2:
                        missing.discard(key)
        return {key: (times[1], times[STEPS]) for key, times in seen.items()}

    def close(self) -> None:
        """Remove the pipe."""
        os.close(self.pipe)
        self.folder.cleanup()
        _pipe.cache_clear()

    def _read(self, end: float) -> list[tuple[str, int, int]]:
        ready, _, _ = select.select([self.pipe], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise TimeoutError(f"runs are not done after {WAIT_SECONDS:.0f} s")
        *lines, self.rest = (self.rest + os.read(self.pipe, CAPACITY)).split(b"\n")
        parts = [line.decode().split(" ") for line in lines]
        return [(key, int(number), int(at)) for key, number, at in parts]
