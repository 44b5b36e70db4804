"""What the kernel knows of a process, and where a pid means what it says (Linux; elsewhere the little there is)."""

import hashlib
import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

STOPPED = ("T", "t")
ENDED = ("Z", "X")
PLACE_LENGTH = 100
_BORN = 19  # fields behind the name: state is the first, the start time the 20th


def alive(pid: int, born: int = 0) -> bool:
    """Tell whether a process runs, be it stopped; one with the pid that was `born` at another time is not it.

    What /proc does not show (`hidepid`, systemd's `ProtectProc`) may still run: then a signal that does nothing tells.
    """
    found = _stat(pid)
    if found:
        return found[0] not in ENDED and born in (0, int(found[_BORN]))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stopped(pid: int) -> bool:
    """Tell whether a process is frozen: by SIGSTOP, or by a debugger."""
    found = _stat(pid)
    return bool(found) and found[0] in STOPPED


def born(pid: int) -> int:
    """Return when a process started, in the kernel's ticks since the boot; 0 where that is not known."""
    found = _stat(pid)
    return int(found[_BORN]) if found else 0


def name(text: str) -> None:
    """Give this process a name for `ps -o comm` and `top`; the kernel keeps 15 characters (Linux)."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(text)


@cache  # a host that gets another name meanwhile is still the place of its workers
def place() -> str:
    """Return where pids are valid: this boot of this machine, and the namespace within it.

    Two containers may share a host name; they share neither their pids nor this. Machines that were cloned while they
    ran share the boot, and have names of their own.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return place_of(socket.gethostname(), f"{boot}/{Path('/proc/self/ns/pid').readlink()}")
    except OSError:
        return socket.gethostname()[:PLACE_LENGTH]


def place_of(host: str, kernel: str) -> str:
    """Join a host's name, or its digest when that would be too long, with what its kernel says."""
    text = f"{host}/{kernel}"
    return text if len(text) <= PLACE_LENGTH else f"{hashlib.sha256(host.encode()).hexdigest()[:32]}/{kernel}"


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
