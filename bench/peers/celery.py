"""Celery with Redis as broker and result backend; a run is a chain of ten tasks.

Two variants. `durable`: Redis appends to its file and syncs after each command, tasks are acknowledged when done.
`volatile`: no file, tasks are acknowledged when taken; a crash loses what was in flight: the speed without durability.
Tuned: no gossip, mingle and heartbeats; four messages fetched ahead.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import redis
from celery import Celery, chain

from bench.peers import course
from bench.peers.course import Setting
from bench.peers.free import free_port
from bench.peers.marks import STEPS, mark

DURABLE = os.environ["BENCH_VARIANT"] == "durable"
PORT = int(os.environ.setdefault("BENCH_REDIS_PORT", str(free_port())))
FILE = ("--appendonly", "yes", "--appendfsync", "always") if DURABLE else ("--appendonly", "no", "--save", "")

app = Celery("bench", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.update(task_acks_late=DURABLE, worker_prefetch_multiplier=4, broker_connection_retry_on_startup=True)


@app.task(name="step")
def step(key: str, number: int) -> int:
    """Mark."""
    mark(key, number)
    return number


class Peer:
    """A worker with children, and a Redis of its own."""

    settings = (Setting(1, 2), Setting(1, 4))
    repeat = None

    def setup(self) -> None:
        """Start Redis and wait until it answers."""
        folder = Path(os.environ["BENCH_FOLDER"])
        self.server = subprocess.Popen(
            ["redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--dir", str(folder), *FILE], stdout=sys.stderr
        )
        for _ in range(100):
            with suppress(redis.ConnectionError):
                redis.Redis(port=PORT).ping()
                return
            time.sleep(0.1)
        raise TimeoutError("redis-server does not answer")

    def workers(self, setting: Setting) -> list[list[str]]:
        """Return a worker with so many processes."""
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR"]
        own = ["-A", "bench.peers.celery:app", "worker", "-P", "prefork", "-c", str(setting.concurrency)]
        return [[sys.executable, "-m", "celery", *own, *quiet]] * setting.processes

    def connect(self, setting: Setting, workers: Sequence[object]) -> None:
        """Nothing to do."""

    def backlog(self, keys: Sequence[str]) -> None:
        """Start all; the workers begin meanwhile."""
        for key in keys:
            self.start(key)

    def start(self, key: str) -> None:
        """Start a chain."""
        chain(*(step.si(key, number) for number in range(1, STEPS + 1))).apply_async()


if __name__ == "__main__":
    peer = Peer()
    try:
        course.main(peer, f"{version('celery')}, redis-py {version('redis')}")
    finally:
        peer.server.terminate()
