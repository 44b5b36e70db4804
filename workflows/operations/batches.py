"""One command to many runs: the runs are written down here, and `workflows.batches` gives each its turn."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from actions.running import refuse_inside_handler
from audit.recording import record
from workflows.models import Batch, BatchItem
from workflows.models.batches import VERBS
from workflows.operations.errors import NotAllowed, UnknownBatch
from workflows.operations.exports import traced
from workflows.operations.together import in_one_transaction
from workflows.queries.filtering import filtered
from workflows.queries.rows import RunFilter
from workflows.sql import Statement

MOST_RUNS = 50_000
NOTHING = "No run fits any more, so nothing was started."
OTHER = "This form has started another batch already, so nothing was started: send it once more to start this one."
_NOW = Statement("SELECT clock_timestamp()")
# Verbs that only some states allow: of all runs that a filter lets through, these are meant.
_MEANT: dict[str, dict[str, Any]] = {
    "retry": {"label": "failed"},
    "resolve": {"label": "failed"},
    "resume": {"label": "suspended"},
    "suspend": {"unfinished": True},
    "cancel": {"unfinished": True},
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The runs that a person picked: ids, or a filter; `words` is the filter as it stands in the address."""

    runs: tuple[uuid.UUID, ...] = ()
    chosen: RunFilter | None = None
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, Any]:
        """Return what a batch keeps of it."""
        return {"runs": len(self.runs)} if self.runs else dict(self.words)

    def meant(self, verb: str, as_of: datetime) -> RunFilter:
        """Return the filter with what the verb implies, and without runs that are newer than the moment."""
        chosen = self.chosen or RunFilter()
        until = min(chosen.until, as_of) if chosen.until else as_of
        implied = _MEANT[verb]
        return replace(chosen, until=until, **({} if "label" in implied and chosen.label else implied))


@in_one_transaction
def start_batch(
    verb: str,
    choice: Choice,
    *,
    actor: str,
    reason: str,
    shown: int,
    as_of: datetime,
    batch_id: uuid.UUID | None = None,
) -> uuid.UUID:
    """Write down which runs get the command, and leave the rest to the housekeeper; return the id of the batch.

    `shown` is the number that the person was told, `as_of` the moment of that. A batch with this id that is there
    already is left as it is, and refused if it is another: a form that is sent twice starts one. Raises NotAllowed.
    """
    refuse_inside_handler("start a batch")
    if verb not in VERBS:
        raise NotAllowed(f"A batch can {', '.join(VERBS)} runs.")
    if not choice.runs and not choice.words:
        raise NotAllowed("A command to many runs needs a filter: a workflow, a status, a time.")
    if batch_id and _is_there(batch_id, verb, choice, actor):
        return batch_id
    now: datetime = _NOW.rows()[0][0]
    as_of = min(as_of, now)
    batch = Batch(
        verb=verb, chosen=choice.named, as_of=as_of, shown=shown,
        total=0, rate=settings.BATCH_RATE, due_at=now, actor=actor, reason=reason, created_at=now,
    )  # fmt: skip
    if batch_id:
        batch.pk = batch_id
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
    except IntegrityError:
        if _is_there(batch.pk, verb, choice, actor):  # the same form, sent at the same time
            return batch.pk
        raise
    total = _write_down(batch, choice)
    Batch.objects.filter(pk=batch.pk).update(total=total)
    data = {"verb": verb, "runs": total, "shown": shown, "as_of": as_of.isoformat()}
    data["chosen"] = batch.chosen if choice.runs else traced(choice.words)
    record(chain=batch.pk, kind="batch.started", actor=actor, reason=reason, data=data)
    return batch.pk


@in_one_transaction
def stop_batch(batch_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """Give no further run of a batch its turn. Raises UnknownBatch, NotAllowed."""
    refuse_inside_handler("stop a batch")
    batch = Batch.objects.select_for_update(no_key=True).filter(pk=batch_id).first()
    if batch is None:
        raise UnknownBatch(batch_id)
    if batch.state != "running":
        raise NotAllowed(f"This batch is already {batch.state}.")
    end_batch(batch, "stopped", actor=actor, reason=reason)


def end_batch(batch: Batch, state: str, *, actor: str, reason: str = "") -> None:
    """Write that a batch, which is locked, has ended."""
    Batch.objects.filter(pk=batch.pk).update(state=state, ended_at=Now())
    left = batch.total - batch.done - batch.skipped - batch.failed
    data = {"verb": batch.verb, "done": batch.done, "skipped": batch.skipped, "failed": batch.failed, "left": left}
    record(chain=batch.pk, kind=f"batch.{state}", actor=actor, reason=reason, data=data)


def _is_there(batch_id: uuid.UUID, verb: str, choice: Choice, actor: str) -> bool:
    """Tell whether the batch was started already. Raises NotAllowed when its id stands for another one."""
    batch = Batch.objects.filter(pk=batch_id).first()
    if batch is None:
        return False
    same = (batch.verb, batch.chosen, batch.actor) == (verb, choice.named, actor)
    if same and choice.runs:
        same = set(batch.items.values_list("run", flat=True)) == set(choice.runs)
    if not same:
        raise NotAllowed(OTHER)
    return True


def _write_down(batch: Batch, choice: Choice) -> int:
    """Make the items, the oldest run first; return how many. Raises NotAllowed."""
    if choice.runs:
        ids = list(dict.fromkeys(choice.runs))
        _refuse_many(len(ids))
        BatchItem.objects.bulk_create(BatchItem(batch=batch, run=one) for one in ids)
        return len(ids)
    rows = filtered(choice.meant(batch.verb, batch.as_of)).order_by("id").values_list("id")[: MOST_RUNS + 1]
    try:
        sql, values = rows.query.sql_with_params()
    except EmptyResultSet:
        raise NotAllowed(NOTHING) from None
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO batch_item (batch_id, run, state, note) SELECT %s, f.id, 'waiting', '' FROM ({sql}) f",  # noqa: S608 - Django's
            [batch.pk, *values],
        )
        count: int = cursor.rowcount
    _refuse_many(count)
    if not count:
        raise NotAllowed(NOTHING)
    return count


def _refuse_many(count: int) -> None:
    if count > MOST_RUNS:
        raise NotAllowed(f"More than {MOST_RUNS} runs fit: choose fewer, by a workflow or a time.")
