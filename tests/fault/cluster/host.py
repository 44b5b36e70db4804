"""A cluster as `make up` runs it, and its processes by what they do."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dotdo_site.lib import process_state
from tests.support.cluster import ROOT, children, stop

MODULES = "tests.support.handlers,tests.fault.cluster.handlers"
WORKERS = 3
ROLES = ("main", "sentinel", "housekeep", "pusher", "monitor", "worker")
KEEPS = """
import os, sys
from pathlib import Path
from dotdo_site.launch.processes import Process
from dotdo_site.launch import supervisor
from dotdo_site.launch.supervisor import Supervisor
supervisor.STEADY_SECONDS = 0.0  # the tests kill more often than it takes to be called steady
group = Supervisor(os.environ, Path("."))
group.catch_signals()
group.start([Process("cluster", (sys.executable, "manage.py", "cluster", "--skip-checks"))])
while not group.stop_requests:
    group.tick()
group.stop()
"""


@contextmanager
def kept(log: Path, **environment: str) -> Iterator["Host"]:
    """Run a cluster under the launcher's supervisor until the block ends; its log goes to a file."""
    settings = {"DOTDO_WORKERS": str(WORKERS), "DOTDO_LEASE_SECONDS": "30", "DOTDO_ACTION_MODULES": MODULES}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", KEEPS],
            env=os.environ | settings | environment,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Host(process.pid)
        finally:
            stop(process, 60)


class Host:
    """The processes below one pid."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def pids(self) -> list[int]:
        """Return all of them that live."""
        return [pid for pid in children(self.pid) if process_state.alive(pid)]

    def pids_of(self, role: str) -> list[int]:
        """Return those that do one thing."""
        return [pid for pid in self.pids() if _name(pid) == f"dotdo:{role}"]

    def whole(self) -> bool:
        """Tell whether everything is there, once, and nothing is frozen."""
        if any(process_state.stopped(pid) for pid in self.pids()):  # first: one that is being replaced is none at all
            return False
        counts = {role: len(self.pids_of(role)) for role in ROLES}
        wanted = {role: WORKERS if role == "worker" else 1 for role in ROLES}
        return counts == wanted

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every one of them."""
        for pid in self.pids():
            os.kill(pid, number)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
