"""A real cluster of django-q2 processes for tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection

Value = TypeVar("Value")
ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def cluster(log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `manage.py cluster` until the block ends; its log goes to a file."""
    settings = {"DOTDO_WORKERS": "2", "DOTDO_LEASE_SECONDS": "5", **environment}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "cluster"],
            env=os.environ | settings,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: "subprocess.Popen[bytes]", seconds: float = 40) -> None:
    """End it as `make down` would, and kill it if it does not end."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def until(check: Callable[[], Value], seconds: float = 30.0, what: str = "it") -> Value:
    """Return the first true value of `check`, asking every 50 ms."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def children(pid: int) -> list[int]:
    """Return the pids of a process's descendants."""
    found: list[int] = []
    with suppress(OSError):  # it ends while we look
        for listing in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in listing.read_text().split():
                found += [int(child), *children(int(child))]
    return found


def sql(query: str, *parameters: Any) -> list[tuple[object, ...]]:
    """Run a query behind the application's back."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
