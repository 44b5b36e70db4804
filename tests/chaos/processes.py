"""The processes of the installation: started as `make up` starts them, restarted when they die, known by their role."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dotdo_site.launch.checkout import ROOT
from dotdo_site.lib.parent_death import die_with_parent

RESTART_SECONDS = 0.5
STOP_SECONDS = 40.0
WORKERS = 2
PREFIX = "dotdo:"
ROLES = ("sentinel", "worker", "monitor", "pusher", "housekeeper")


@dataclass
class Managed:
    """A main process with its command line; its output goes to a file."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    popen: "subprocess.Popen[bytes] | None" = None
    dead_since: float = 0.0
    sessions: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Start it in a session of its own; from the main thread only, whose end takes it along."""
        with self.log.open("ab") as out:
            self.popen = subprocess.Popen(
                self.argv,
                env=dict(self.environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - no locks in it
            )
        self.sessions.append(self.popen.pid)

    def keep(self) -> None:
        """Start it again half a second after it died, and end what it left behind."""
        if self.popen is None or self.popen.poll() is None:
            return
        if not self.dead_since:
            self.dead_since = time.monotonic()
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        if time.monotonic() - self.dead_since >= RESTART_SECONDS:
            self.dead_since = 0.0
            self.start()

    def stop(self) -> bool:
        """End it as `make down` does; return whether it ended by itself."""
        if self.popen is None or self.popen.poll() is not None:
            return True
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """End it and its session at once."""
        if self.popen is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    def left(self) -> list[int]:
        """Return the pids of processes that outlived the main process that they belong to."""
        found = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
        return [pid for pid in found if _session(pid) in self.sessions and state(pid) not in ("Z", "")]

    def pid(self) -> int | None:
        """Return the pid of the main process, if it lives."""
        return self.popen.pid if self.popen is not None and self.popen.poll() is None else None


def roles(main: int | None) -> dict[str, list[int]]:
    """Return the processes of a cluster by what they do, which is what they are called."""
    if main is None:
        return {}
    found: dict[str, list[int]] = {"cluster": [main]}
    for pid in descendants(main):
        called = _name(pid).removeprefix(PREFIX)
        role = next((role for role in ROLES if called and role.startswith(called)), None)  # the kernel cuts names
        if role:
            found.setdefault(role, []).append(pid)
    return found


def descendants(pid: int) -> list[int]:
    """Return the pids of all that a process has started, directly or not."""
    below = children(pid)
    return below + [grandchild for child in below for grandchild in descendants(child)]


def children(pid: int) -> list[int]:
    """Return the pids of the direct children of a process that are not zombies."""
    found: list[int] = []
    with suppress(OSError):
        for listing in Path(f"/proc/{pid}/task").glob("*/children"):
            found += [int(child) for child in listing.read_text().split()]
    return [child for child in found if state(child) not in ("Z", "")]


def state(pid: int) -> str:
    """Return the letter of a process's state; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; return whether there was somebody to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
