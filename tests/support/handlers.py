"""Actions that the tests' workers know; what they did is read from the tables or files that they write."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from actions import ActionError, Notify, Retry, action
from actions.context import Context
from workflows.models import Entry

ALL = ("dead_letter", "undo_failed", "no_worker")
QUICK = Retry(max_attempts=3, backoff="constant", initial="10ms", max="10ms", jitter=0)


@action("test-echo", retry=QUICK)
def echo(ctx: Context, value: Any = None) -> Any:
    return value


HOOKS: dict[str, Callable[[], Any]] = {}


@action("test-pure", retry=QUICK, transactional=False, effect="pure", timeout="5s")
def pure(ctx: Context, value: Any = None, hook: str = "") -> Any:
    """Return the value, once the hook of this name has done what it does."""
    if hook in HOOKS:
        HOOKS[hook]()
    return value


@action("test-ledger", retry=QUICK, input={"name": "string", "die?": "string", "release?": "string"})
def ledger(ctx: Context, name: str, die: str = "", release: str = "") -> dict[str, Any]:
    """Write one row in the transaction; `die` kills the worker before or after it, once per file."""
    if die == "before" and _first(release):
        os.kill(os.getpid(), 9)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO entry (namespace, key, value, version, updated_at) "
                       "VALUES ('ledger', %s || '-' || gen_random_uuid(), '1', 1, now())", [name])  # fmt: skip
    if die == "after" and _first(release):
        os.kill(os.getpid(), 9)
    if die == "fail":
        raise ActionError("refused", "the ledger said no")
    return {"name": name, "attempt": ctx.attempt}


@action("test-outside", transactional=False, retry=QUICK, timeout="20s")
def outside(ctx: Context, file: str, fail: int = 0, sleep: float = 0.0, kill: int = 0) -> dict[str, Any]:
    """Append a line to a file, then fail the first `fail` attempts, or kill the worker the first `kill` times."""
    with Path(file).open("a") as out:
        out.write(f"{ctx.idempotency_key} {ctx.attempt} {ctx.fence}\n")
    if ctx.attempt <= kill:
        os.kill(os.getpid(), 9)
    time.sleep(sleep)
    if ctx.attempt <= fail:
        raise ActionError("unavailable", "try again later", retryable=True)
    return {"attempt": ctx.attempt}


@action("test-refuses", transactional=False, retry=QUICK)
def refuses(ctx: Context, code: str = "declined", retryable: bool = False) -> dict[str, Any]:
    raise ActionError(code, "the other side said no", retryable=retryable)


@action("test-secretive", transactional=False, retry=QUICK)
def secretive(ctx: Context, token: str, fail: bool = False) -> dict[str, Any]:
    """Tell how long what it was given really is."""
    if fail:
        raise ActionError("refused", "the other side said no")
    return {"length": len(token)}


@action("test-bad-output", output={"total": "integer"})
def bad_output(ctx: Context, name: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO entry (namespace, key, value, version, updated_at) "
                       "VALUES ('ledger', %s, '1', 1, now())", [name])  # fmt: skip
    return {"total": "many"}


@action("test-speaks", retry=QUICK)
def speaks(ctx: Context, password: str = "") -> dict[str, Any]:
    ctx.log("hello", password=password)
    print("printed", password)
    return {"ok": True}


@action("test-nested")
def nested(ctx: Context) -> Any:
    return echo(ctx, value=1)


@action("test-sleeps", transactional=False, timeout="300ms", retry=Retry(max_attempts=1))
def sleeps(ctx: Context) -> None:
    time.sleep(10)


@action("test-deferred", retry=QUICK)
def deferred(ctx: Context) -> None:
    """Break a deferred constraint: the violation shows at commit."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO payload (run_id, digest, value) VALUES (gen_random_uuid(), 'x', '1')")


@action("test-clash", retry=QUICK)
def clash(ctx: Context, how: str) -> str:
    """Write a key twice, the second time in vain: then `raise`, `swallow` it, or say so in one's `own` words."""
    ctx.log("before")
    try:
        for _ in range(2):
            Entry.objects.create(namespace="clash", key="one", value=1, version=1, updated_at=Now())
    except IntegrityError:
        if how == "raise":
            raise
        if how == "own":
            raise ActionError("duplicate", "it is there already", retryable=False) from None
    return "ok"


@action("test-promises", retry=Retry(max_attempts=2, backoff="constant", initial="10ms", max="10ms"))
def promises(ctx: Context, file: str) -> None:
    """Ask for a line once the transaction commits, inside an inner block and outside, and fail the first time."""

    def write(what: str) -> None:
        with Path(file).open("a") as out:
            out.write(f"{ctx.attempt} {what}\n")

    transaction.on_commit(lambda: write("outside"))
    with transaction.atomic():
        transaction.on_commit(lambda: write("inside"))
    if ctx.attempt == 1:
        raise ActionError("not_yet", retryable=True)


@action("test-slow-query", timeout="300ms", retry=Retry(max_attempts=2, backoff="constant", initial="10ms", max="10ms"))
def slow_query(ctx: Context) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(6)")


@action("test-loses-connection", retry=QUICK, input={"how": "string", "marker?": "string"})
def loses_connection(ctx: Context, how: str, marker: str = "") -> str:
    """Break the connection that its own transaction runs on: `close` or `kill`; with `marker` only the first time."""
    if marker and not _first(marker):
        return "ok"
    if how == "close":
        connection.close()
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    return "ok"


@action("test-far", queue="far")
def far(ctx: Context) -> None:
    """Run on another queue than its workflow."""


@action("test-outage", transactional=False, retry=QUICK, on_crash="park")
def outage(ctx: Context, file: str) -> str:
    """Write a line outside, and lose the worker's connection before the result can be recorded."""
    with Path(file).open("a") as out:
        out.write("once\n")
    connection.ensure_connection()
    connection.connection.close()
    return "ok"


@action("test-says-no", transactional=False, retry=Retry(max_attempts=2, backoff="constant", initial="1h", max="1h"))
def says_no(ctx: Context, message: str, retryable: bool = False) -> None:
    raise ActionError("declined", message, retryable=retryable, details={"body": "x" * 5_000})


def _first(marker: str) -> bool:
    path = Path(marker)
    if path.exists():
        return False
    path.touch()
    return True


@action("test-tell", retry=QUICK, transactional=False)
def tell(ctx: Context, key: str) -> dict[str, Any]:
    """Say the key in every way there is."""
    ctx.log(f"the key is {key}", key=key, other=key)
    print(key)
    log = logging.getLogger("tests.tell")
    log.warning("got %s", key)
    log.warning("%d does not fit", key)
    log.error("failed", exc_info=ValueError(key), stack_info=True)
    return {"said": f"it is {key}", key: [key]}


@action("test-tell-and-fail", retry=QUICK, transactional=False)
def tell_and_fail(ctx: Context, key: str) -> None:
    """Fail with the key in message, details and traceback."""
    raise ActionError("told", f"the key is {key}", details={"key": key, "deep": [f"key {key}"]}) from ValueError(key)


@action("test-owned", transactional=False, retry=QUICK, notify=Notify(on=ALL, email="owner@example.com"))
def owned(ctx: Context) -> None:
    raise ActionError("declined", "the other side said no")


@action("test-use-in-transaction", retry=QUICK, timeout="300ms")
def use_in_transaction(ctx: Context, key: str, fail: bool = False, late: bool = False) -> int:
    """Return how long the key is, or fail after the use, or be cut off inside a query."""
    if late:
        slow_query(ctx)
    if fail:
        raise ActionError("refused", "no")
    return len(key)
