"""A client that is hit: a process forked from the test's own, which does one thing and ends."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connections

from tests.fault.failpoints import points


def until_acknowledged(do: Callable[[], Any], folder: Path) -> int:
    """Let a client do something, again and again until it has heard that it is done; return how often it was hit."""
    hits = 0
    while _once(do, folder):
        hits += 1
    return hits


def _once(do: Callable[[], Any], folder: Path) -> int:
    """Return the status of a process that does it: 0 when it came to its end."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    inherited = connections["default"]  # is the parent's: never used, never closed here
    del connections["default"]
    status = 1
    try:
        points.install(folder)
        do()
        status = 0
    finally:
        os._exit(status if inherited else 1)
