"""What the runs of the stateful test do: a transactional effect that nothing keeps from happening twice, and one
outside, counted by key."""

from collections import Counter
from typing import Any

from django.db import connection

from actions import ActionError, Retry, action
from actions.context import Context

SLOW = Retry(max_attempts=2, backoff="constant", initial="1h", max="1h", jitter=0)
NAMES = ("stateful-ledger", "stateful-send")
FATES = ("declined", "unavailable")
sent: Counter[str] = Counter()
fates: list[str] = []


@action("stateful-ledger", retry=SLOW)
def ledger(ctx: Context, name: str) -> dict[str, Any]:
    """Write one row in the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO entry (namespace, key, value, version, updated_at) "
            "VALUES ('ledger', %s || '/' || %s || '/' || gen_random_uuid(), '1', 1, now())",
            [ctx.run_id, name],
        )
    return {"name": name}


@action("stateful-send", transactional=False, retry=SLOW)
def send(ctx: Context, name: str) -> dict[str, Any]:
    """Count a delivery under its key; then fail as the test has arranged it for the next one."""
    sent[ctx.idempotency_key] += 1
    if fates:
        fate = fates.pop()
        raise ActionError(fate, "the other side said no", retryable=fate == "unavailable")
    return {"name": name}


def forget() -> None:
    """Begin anew."""
    sent.clear()
    fates.clear()
