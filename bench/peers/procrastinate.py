"""Procrastinate: a queue of tasks in PostgreSQL; a run is a chain, each task defers the next.

Tuned: asynchronous workers with LISTEN/NOTIFY on, several jobs at a time in each process; a backlog is deferred in one
statement. The chain's three write transactions per step are not atomic with each other.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version

import procrastinate
from procrastinate.exceptions import AlreadyEnqueued

from bench.peers import course
from bench.peers.course import Setting
from bench.peers.marks import STEPS, mark

URL = os.environ["BENCH_DATABASE"]


def app(*, worker: bool) -> procrastinate.App:
    """Return an app that knows the task."""
    connector = procrastinate.PsycopgConnector if worker else procrastinate.SyncPsycopgConnector
    made = procrastinate.App(connector=connector(conninfo=URL))

    @made.task(name="step")
    async def step(key: str, number: int) -> None:
        mark(key, number)
        if number < STEPS:
            await step.configure().defer_async(key=key, number=number + 1)

    return made


class Peer:
    """A queue with worker processes."""

    settings = (Setting(2, 16), Setting(2, 4), Setting(4, 4))

    def setup(self) -> None:
        """Load its schema."""
        with app(worker=False).open() as opened:
            opened.schema_manager.apply_schema()

    def workers(self, setting: Setting) -> list[list[str]]:
        """Return its own workers."""
        return [course.own("procrastinate", "worker", setting.concurrency)] * setting.processes

    def connect(self, setting: Setting, workers: Sequence[object]) -> None:
        """Open the pool."""
        self.app = app(worker=False).open()
        self.step = self.app.tasks["step"]

    def backlog(self, keys: Sequence[str]) -> None:
        """Defer the first task of each run, all in one statement."""
        self.step.batch_defer(*({"key": key, "number": 1} for key in keys))

    def start(self, key: str) -> None:
        """Defer the first task."""
        self.step.defer(key=key, number=1)

    def repeat(self) -> None:
        """Defer with a lock that a waiting job holds: the nearest there is to a key."""
        with suppress(AlreadyEnqueued):
            self.step.configure(queueing_lock="known", schedule_in={"days": 1}).defer(key="known", number=1)


async def work(concurrency: int) -> None:
    """Be a worker; it stops on SIGTERM by itself."""
    async with app(worker=True).open_async() as opened:
        await opened.run_worker_async(concurrency=concurrency)


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        asyncio.run(work(int(sys.argv[2])))
    else:
        course.main(Peer(), version("procrastinate"))
