"""Give the runs of batches their turns, so many a second, in the housekeeper.

A turn is one transaction: the command to the run, what became of it, and the counts of the batch. So a housekeeper that
dies in the middle has done it or has not, and nobody does it again. Whoever holds the row of the batch has the turn: a
stop waits for it, and of several hosts only one works at a batch at a time. The batch that has waited longest is next.
"""

import logging
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from workflows import draining, operations
from workflows.models import Batch, BatchItem
from workflows.operations.batches import end_batch
from workflows.operations.errors import OperationError
from workflows.operations.together import in_one_transaction
from workflows.outage import gave_way, is_away, takes_nothing_now

log = logging.getLogger(__name__)
ROUND_SECONDS = 5.0
CATCH_UP = timedelta(seconds=3)  # how much of the time that a housekeeper was late is made good
SKIP_FACTOR = 20  # runs that need nothing pass so much more quickly
TROUBLE = timedelta(seconds=10)
VERBS: dict[str, Callable[..., object]] = {
    "retry": operations.retry,
    "cancel": operations.cancel,
    "resolve": operations.resolve,
    "suspend": operations.suspend,
    "resume": operations.resume,
}


def work(seconds: float = ROUND_SECONDS) -> int:
    """Give runs of batches that are due their turns, for so many seconds at most; return how many had one.

    Raises what says that the database is away.
    """
    until, turns = time.monotonic() + seconds, 0
    while time.monotonic() < until and not draining.requested():
        batch = _due()
        if batch is None:
            break
        try:
            if not _turn(batch):
                break
        except Exception as error:
            if is_away(error):
                raise
            log.exception("the batch %s waits", batch)
            Batch.objects.filter(pk=batch).update(due_at=Now() + TROUBLE)
        turns += 1
    return turns


def _due() -> uuid.UUID | None:
    rows = Batch.objects.filter(state="running", due_at__lte=Now()).order_by("due_at")
    return rows.values_list("pk", flat=True).first()


@in_one_transaction
def _turn(batch_id: uuid.UUID) -> bool:
    """Give the next run of a batch its turn, or end the batch; False when somebody else has it."""
    rows = Batch.objects.select_for_update(no_key=True, skip_locked=True)
    batch = rows.filter(pk=batch_id, state="running").first()
    if batch is None:
        return False
    item = batch.items.filter(state="waiting").order_by("id").first()
    if item is None:
        end_batch(batch, "finished", actor="system")
        return True
    state, note = _command(batch, item.run)
    BatchItem.objects.filter(pk=item.pk).update(state=state, note=note, done_at=Now())
    pause = timedelta(seconds=1 / batch.rate / (SKIP_FACTOR if state == "skipped" else 1))
    Batch.objects.filter(pk=batch.pk).update(
        due_at=Greatest(F("due_at"), Now() - CATCH_UP) + pause, **{state: F(state) + 1}
    )
    return True


def _command(batch: Batch, run: uuid.UUID) -> tuple[str, str]:
    """Give the command to a run; return what became of it and why."""
    try:
        with transaction.atomic():
            VERBS[batch.verb](run, actor=batch.actor, reason=batch.reason)
    except OperationError as refused:
        return "skipped", refused.message
    except Exception as error:
        if is_away(error) or gave_way(error) or takes_nothing_now(error):
            raise
        log.exception("batch %s: %s of run %s broke off", batch.pk, batch.verb, run)
        return "failed", f"{type(error).__name__}: the log of the housekeeper has more."
    return "done", ""
