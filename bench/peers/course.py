"""The course that every peer runs: the same work, the same measures, in the peer's own environment.

Standard library only. A run is ten sequential steps that do nothing; its first and its last step write a mark with the
time into a named pipe. So throughput and latency are told by the steps themselves, whatever a peer keeps of them:

- throughput: a backlog of runs; steps of all runs / time from the first mark to the last
- latency: one run at a time on idle workers; from before the start call to the first mark, and to the last
- repeats: the start call with a key that is known, one thread
- idle memory: proportional set size of one worker with its children
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from bench.peers.marks import STEPS, Marks
from bench.peers.memory import pss_mib

SECONDS, QUICK_SECONDS = 3.0, 1.0
LATENCY_RUNS, QUICK_LATENCY_RUNS = 30, 10
FEWEST, MOST = 30, 3_000


@dataclass(frozen=True)
class Setting:
    """How many worker processes, and how many runs each of them has in flight."""

    processes: int = 2
    concurrency: int = 1


class Peer(Protocol):
    """What a peer's file says and does."""

    @property
    def settings(self) -> Sequence[Setting]:
        """Return the settings to choose from; the first is used where there is no time to choose."""

    @property
    def repeat(self) -> Callable[[], object] | None:
        """Start a run with a key that is known; None where a peer knows no keys."""

    def setup(self) -> None:
        """Make what the peer needs in an empty database."""

    def workers(self, setting: Setting) -> list[list[str]]:
        """Return the command of each worker process."""

    def connect(self, setting: Setting, workers: "Sequence[subprocess.Popen[str]]") -> None:
        """Get ready to start runs from this process."""

    def backlog(self, keys: Sequence[str]) -> None:
        """Start many runs in the way that is quickest for the workers."""

    def start(self, key: str) -> None:
        """Start one run."""


@dataclass
class Measured:
    """What one repetition gave; None where the peer has no such thing."""

    setting: Setting
    runs: int
    steps_per_s: float
    first_ms: list[float] = field(default_factory=list)
    last_ms: list[float] = field(default_factory=list)
    repeats_per_s: float | None = None
    idle_pss_mib: float | None = None
    server_pss_mib: float | None = None


def main(peer: Peer, version: str) -> None:
    """`tune` finds the best setting; `measure SETTING` is one repetition. The answer is the last line, as JSON."""
    command, *rest = sys.argv[1:]
    quick = "--quick" in rest
    peer.setup()
    if command == "tune":
        settings = peer.settings[:1] if quick else peer.settings
        rates = {setting: _rate(peer, setting) for setting in settings}
        best = max(rates, key=lambda setting: rates[setting])
        answer = {"setting": asdict(best), "rates": [{**asdict(s), "steps_per_s": rate} for s, rate in rates.items()]}
    else:
        answer = asdict(_measure(peer, Setting(**json.loads(rest[0])), quick=quick))
    print("\n" + json.dumps({"version": version} | answer), flush=True)


def _rate(peer: Peer, setting: Setting) -> float:
    with Course(peer, setting) as course:
        return course.throughput(QUICK_SECONDS)[1]


def _measure(peer: Peer, setting: Setting, *, quick: bool) -> Measured:
    with Course(peer, setting) as course:
        measured = Measured(setting, *course.throughput(QUICK_SECONDS if quick else SECONDS))
        time.sleep(1)
        measured.idle_pss_mib, measured.server_pss_mib = course.memory(), course.server_memory()
        measured.first_ms, measured.last_ms = course.latency(QUICK_LATENCY_RUNS if quick else LATENCY_RUNS)
        if peer.repeat is not None:
            measured.repeats_per_s = calls_per_s(peer.repeat, 0.5 if quick else 2.0)
    return measured


class Course:
    """A peer whose workers run and are warm."""

    def __init__(self, peer: Peer, setting: Setting) -> None:
        self.peer, self.setting = peer, setting
        self.marks = Marks()
        self.processes: list[subprocess.Popen[str]] = []
        self.number = 0

    def __enter__(self) -> "Course":
        try:
            self.processes = [spawn(command) for command in self.peer.workers(self.setting)]
            self.peer.connect(self.setting, self.processes)
            self._backlog(20)
            time.sleep(1)  # the slowest of several workers
            self._backlog(20)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.marks.close()

    def throughput(self, seconds: float) -> tuple[int, float]:
        """Return how many runs, and steps per second; as many as should take this long."""
        trial = max(self._backlog(FEWEST), 0.001)
        runs = min(MOST, max(FEWEST, round(FEWEST / trial * seconds)))
        return runs, runs * STEPS / self._backlog(runs)

    def latency(self, runs: int) -> tuple[list[float], list[float]]:
        """Return milliseconds to the first and to the last step of single runs."""
        first, last = [], []
        for number in range(runs + 3):
            time.sleep(random.uniform(0.03, 0.1))  # at any moment between two looks of a peer that polls
            (key,) = self._keys(1)
            called = time.time_ns()
            self.peer.start(key)
            begun, ended = self.marks.until([key])[key]
            if number >= 3:  # the first ones load and prepare
                first.append((begun - called) / 1e6)
                last.append((ended - called) / 1e6)
        return first, last

    def memory(self) -> float | None:
        """Return the MiB of one worker with its children; None where work is done in the caller's process."""
        return statistics.median(pss_mib(p.pid) for p in self.processes) if self.processes else None

    def server_memory(self) -> float | None:
        """Return the MiB of a server that the peer needs beside, or None where that is PostgreSQL."""
        server = getattr(self.peer, "server", None)
        return pss_mib(server.pid) if server else None

    def _backlog(self, runs: int) -> float:
        """Start runs and wait for them; return the seconds from their first step to their last."""
        keys = self._keys(runs)
        self.peer.backlog(keys)
        seen = self.marks.until(keys)
        return (max(last for _, last in seen.values()) - min(first for first, _ in seen.values())) / 1e9

    def _keys(self, count: int) -> list[str]:
        self.number += count
        return [f"{os.getpid()}-{self.number - index}" for index in range(count)]


def spawn(command: Sequence[str]) -> "subprocess.Popen[str]":
    """Start a process whose standard input is a pipe and whose words are ours."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr, text=True)


def own(module: str, *arguments: object) -> list[str]:
    """Return the command that runs a peer's own file."""
    return [sys.executable, "-m", f"bench.peers.{module}", *map(str, arguments)]


def calls_per_s(call: Callable[[], Any], seconds: float) -> float:
    """Return how often a call is done in a second, one after the other."""
    call()
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        call()
        count += 1
    return count / (time.monotonic() - begun)


def until_terminated(close: Callable[[], object]) -> None:
    """Call `close` on SIGTERM, as a worker does that ends in order."""

    def stop(*_: object) -> None:
        with suppress(Exception):
            close()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
