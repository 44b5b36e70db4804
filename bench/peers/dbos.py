"""DBOS Transact: workflows in the caller's process, recorded in PostgreSQL.

Tuned: direct calls (its queue polls once per second and was slower in every setting), several threads in each of two
processes; single starts and repeats are made in this process, where the workflow then runs.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, cast

from dbos import DBOS, SetWorkflowID

from bench.peers import course
from bench.peers.course import Setting
from bench.peers.marks import STEPS, mark

URL = os.environ["BENCH_DATABASE"]


def launch(executor: str) -> Callable[[str], str]:
    """Launch DBOS and return the workflow."""
    config: Any = {
        "name": "bench",
        "system_database_url": URL.replace("postgresql://", "postgresql+psycopg://"),
        "log_level": "ERROR",
        "application_version": "1",
        "executor_id": executor,
    }
    DBOS(config=config)

    @DBOS.step()
    def step(key: str, number: int) -> int:
        mark(key, number)
        return number

    @DBOS.workflow()
    def run(key: str) -> str:
        for number in range(1, STEPS + 1):
            step(key, number)
        return key

    DBOS.listen_queues([])
    DBOS.launch()
    return cast(Callable[[str], str], run)


class Peer:
    """Processes that run what they are told to."""

    settings = (Setting(2, 8), Setting(2, 16), Setting(4, 4))

    def setup(self) -> None:
        """Let this process make the tables; it is also the one that starts single runs."""
        self.run = launch("caller")

    def workers(self, setting: Setting) -> list[list[str]]:
        """Return processes that read the keys of runs."""
        return [course.own("dbos", "worker", index, setting.concurrency) for index in range(setting.processes)]

    def connect(self, setting: Setting, workers: "Sequence[subprocess.Popen[str]]") -> None:
        """Remember who runs."""
        self.inputs = [worker.stdin for worker in workers if worker.stdin]

    def backlog(self, keys: Sequence[str]) -> None:
        """Share the runs out."""
        for index, pipe in enumerate(self.inputs):
            pipe.write(" ".join(keys[index :: len(self.inputs)]) + "\n")
            pipe.flush()

    def start(self, key: str) -> None:
        """Run here, in a thread of its pool."""
        DBOS.start_workflow(self.run, key)

    def repeat(self) -> None:
        """Start with a known id."""
        with SetWorkflowID("known"):
            DBOS.start_workflow(self.run, "known")


def work(index: str, concurrency: int) -> None:
    """Be a process that runs workflows."""
    run = launch(f"worker-{index}")
    course.until_terminated(lambda: None)
    with ThreadPoolExecutor(concurrency) as threads:
        for line in sys.stdin:
            list(threads.map(run, line.split()))


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        work(sys.argv[2], int(sys.argv[3]))
    else:
        course.main(Peer(), version("dbos"))
