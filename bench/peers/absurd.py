"""Absurd: durable tasks with checkpoints in PostgreSQL functions.

Tuned: the synchronous SDK, one task at a time in each worker process (its threads share one connection), so that
processes are the concurrency; the poll interval is 10 ms instead of 250. Backlogs are spawned in one transaction.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from absurd_sdk import Absurd

from bench.peers import course
from bench.peers.course import Setting
from bench.peers.marks import STEPS, mark

URL = os.environ["BENCH_DATABASE"]
POLL_SECONDS = 0.01


def app(connection: "psycopg.Connection[Any]") -> Absurd:
    """Return a client that knows the task."""
    client = Absurd(connection, queue_name="bench")

    @client.register_task(name="run")
    def run(params: Any, context: Any) -> None:
        for number in range(1, STEPS + 1):
            context.step(f"s{number}", lambda number=number: mark(params["key"], number))

    return client


class Peer:
    """A queue with worker processes."""

    settings = (Setting(2), Setting(4), Setting(6))

    def setup(self) -> None:
        """Load the SQL that the command line tool brings."""
        tool = Path(sys.executable).with_name("absurdctl")
        for command in (("init",), ("create-queue", "bench")):
            subprocess.run([tool, *command, "-d", URL], check=True, stdout=sys.stderr)

    def workers(self, setting: Setting) -> list[list[str]]:
        """Return its own workers."""
        return [course.own("absurd", "worker", setting.concurrency)] * setting.processes

    def connect(self, setting: Setting, workers: Sequence[object]) -> None:
        """Connect once."""
        self.connection = psycopg.connect(URL, autocommit=True)
        self.client = app(self.connection)

    def backlog(self, keys: Sequence[str]) -> None:
        """Spawn all in one transaction."""
        with self.connection.transaction():
            for key in keys:
                self.start(key)

    def start(self, key: str) -> None:
        """Spawn one."""
        self.client.spawn("run", {"key": key})

    def repeat(self) -> None:
        """Spawn with a known key."""
        self.client.spawn("run", {"key": "known"}, idempotency_key="known")


def work(concurrency: int) -> None:
    """Be a worker."""
    client = app(psycopg.connect(URL, autocommit=True))
    course.until_terminated(client.stop_worker)
    client.start_worker(concurrency=concurrency, poll_interval=POLL_SECONDS)


if __name__ == "__main__":
    work(int(sys.argv[2])) if sys.argv[1] == "worker" else course.main(Peer(), version("absurd-sdk"))
