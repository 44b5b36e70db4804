"""Ask the kernel to end a child process when its parent dies, so that a killed supervisor leaves no orphans."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn` for Popen: the child gets `death_signal` when the thread that started it ends (Linux)."""
    parent = os.getpid()

    def ask() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), death_signal)

    return ask


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose own parent dies, so that `children` finds them (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """List the pids of this process's direct children, adopted ones included (Linux; elsewhere empty)."""
    pids: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # that thread has just ended
            pids.update(int(pid) for pid in listing.read_text().split())
    return pids
