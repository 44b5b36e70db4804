"""What the runs of this world do: marks in the transaction, calls to the outside, and failures until repaired."""

import hashlib
import os
import time
from pathlib import Path

from django.db import connection

from actions import ActionError, Retry, action
from actions.context import Context

HOURLY = Retry(max_attempts=5, backoff="constant", initial="1h", max="1h", jitter=0)
ONCE = Retry(max_attempts=1)
QUICK = Retry(max_attempts=3, backoff="constant", initial="50ms", max="50ms", jitter=0)
HANG_SECONDS = 25.0


def repaired() -> bool:
    """Tell whether what was broken when the runs were made works now."""
    return bool(os.environ.get("WORLD_REPAIRED"))


def _mark(of: str, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO world_mark (of, name) VALUES (%s, %s)", [of, name])


def _call(ctx: Context, of: str, name: str) -> None:
    """Append a line to the sink, which stands for everybody outside: they keep what they were told."""
    with Path(os.environ["WORLD_SINK"]).open("a") as sink:
        sink.write(f"{of} {name} {ctx.idempotency_key} {ctx.fence}\n")


@action("world-mark", input={"of": "string", "name": "string", "value?": "any"}, retry=QUICK)
def mark(ctx: Context, of: str, name: str, value: object = None) -> object:
    """Write a row in the transaction that records the step."""
    _mark(of, name)
    return value


@action("world-call", input={"of": "string", "name": "string"}, transactional=False, retry=QUICK)
def call(ctx: Context, of: str, name: str) -> dict[str, str]:
    """Tell somebody outside."""
    _call(ctx, of, name)
    return {"told": name}


@action("world-flaky", input={"of": "string"}, transactional=False, retry=HOURLY)
def flaky(ctx: Context, of: str) -> dict[str, int]:
    """Fail in a way that may go away; tried again in an hour."""
    _call(ctx, of, "flaky")
    if not repaired():
        raise ActionError("unavailable", "the other side is away", retryable=True)
    return {"attempt": ctx.attempt}


@action("world-broken", input={"of": "string"}, transactional=False, retry=ONCE)
def broken(ctx: Context, of: str) -> dict[str, bool]:
    """Fail for good, until a person retries after the repair."""
    _call(ctx, of, "broken")
    if not repaired():
        raise ActionError("declined", "not today")
    return {"paid": True}


@action("world-undo-later", input={"of": "string"}, retry=HOURLY)
def undo_later(ctx: Context, of: str) -> None:
    """Take something back, once the other side answers again."""
    if not repaired():
        raise ActionError("unavailable", "the other side is away", retryable=True)
    _mark(of, "undone")


@action("world-undo-broken", input={"of": "string"}, retry=ONCE)
def undo_broken(ctx: Context, of: str) -> None:
    """Fail to take something back, until a person looks."""
    if not repaired():
        raise ActionError("declined", "not today")
    _mark(of, "undone")


@action("world-hang", input={"of": "string"}, transactional=False, timeout="5m", retry=QUICK)
def hang(ctx: Context, of: str) -> dict[str, str]:
    """Tell somebody outside, and still be at work when the host is lost."""
    _call(ctx, of, "hang")
    if not repaired():
        time.sleep(10 * HANG_SECONDS)
    return {"told": "hang"}


@action("world-hang-inside", input={"of": "string"}, timeout="30s", retry=QUICK)
def hang_inside(ctx: Context, of: str) -> None:
    """Write a row, and still be in the transaction when the host is lost."""
    _mark(of, "inside")
    if not repaired():
        time.sleep(HANG_SECONDS)


@action("world-secret", input={"of": "string", "key": "string"}, retry=QUICK)
def secret(ctx: Context, of: str, key: str) -> dict[str, str]:
    """Use a connection's secret; say only its digest."""
    _mark(of, "secret")
    return {"digest": hashlib.sha256(key.encode()).hexdigest()[:16]}
