"""Actions that keep a worker busy, or that cannot be stopped."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from django.db import connection

from actions import Retry, action
from actions.context import Context

QUICK = Retry(max_attempts=3, backoff="constant", initial="10ms", max="10ms", jitter=0)
ONCE = Retry(max_attempts=1)


@action("fault-works", transactional=False, retry=QUICK, timeout="1m")
def works(ctx: Context, began: str, seconds: float) -> int:
    """Take its time the first time that it is called."""
    _take_time(began, seconds)
    return ctx.attempt


@action("fault-works-once", transactional=False, retry=QUICK, timeout="1m", on_crash="park")
def works_once(ctx: Context, began: str, seconds: float) -> int:
    """Do the same, and leave it to a person whether to do it again."""
    _take_time(began, seconds)
    return ctx.attempt


@action("fault-writes", retry=QUICK, timeout="30s")
def writes(ctx: Context, began: str, seconds: float) -> int:
    """Write a row and take its time the first time that it is called, in the transaction that holds its step."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO entry (namespace, key, value, version, updated_at) "
                       "VALUES ('ledger', %s, '1', 1, now())", [f"{began} {ctx.fence}"])  # fmt: skip
    _take_time(began, seconds)
    return ctx.attempt


@action("fault-hangs-in-python", transactional=False, retry=Retry(2, "constant", "10ms", "10ms", 0), timeout="500ms")
def hangs_in_python(ctx: Context, pids: str) -> None:
    with Path(pids).open("a") as out:
        out.write(f"{os.getpid()}\n")
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722 - the worst there is
            continue


@action("fault-hangs-in-c", transactional=False, retry=ONCE, timeout="500ms")
def hangs_in_c(ctx: Context) -> Any:
    return sum(range(10**13))


@action("fault-hangs-in-a-transaction", retry=ONCE, timeout="500ms")
def hangs_in_a_transaction(ctx: Context, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO entry (namespace, key, value, version, updated_at) "
                       "VALUES ('ledger', %s, '1', 1, now())", [name])  # fmt: skip
    sum(range(10**13))


@action("fault-freezes", transactional=False, retry=ONCE, timeout="1s")
def freezes(ctx: Context, began: str) -> str:
    """Stop its own process the first time that it is called."""
    if not Path(began).exists():
        Path(began).touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return "went on"


def _take_time(began: str, seconds: float) -> None:
    if not Path(began).exists():
        Path(began).touch()
        time.sleep(seconds)
