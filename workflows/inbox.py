"""What was delivered to a held step: events for a listen, outputs given by hand for any step.

A message for the run as a whole is in its mailbox: the first listen that takes it consumes it, and the listens that
were active when it came see it as well (R31). What a listen has looked at, and since when it listens, is in its frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Q
from django.db.models.functions import Now

from workflows.job import Job
from workflows.models import Message


@dataclass(frozen=True, slots=True)
class Delivered:
    """An event that a listen has not looked at yet. `own`: for this listen alone."""

    id: int
    event: dict[str, Any]
    own: bool


def given_by_hand(job: Job) -> tuple[int, Any] | None:
    """Return the message and the output by which a person skips the step, if one does."""
    if not job.held.wake:
        return None
    rows = Message.objects.filter(step=job.held.step, kind="answer", consumed_at__isnull=True, data__skip=True)
    row = rows.order_by("id").first()
    return None if row is None else (row.id, (row.data or {})["output"])


def ended_by_hand(job: Job) -> bool:
    """Tell whether a person ends the wait of the held step, in whose transaction that is noted as done."""
    if not job.held.wake:
        return False
    rows = Message.objects.filter(step=job.held.step, kind="answer", consumed_at__isnull=True, data__fire=True)
    return bool(rows.update(consumed_at=Now()))


def delivered(job: Job, frame: dict[str, Any]) -> Iterator[Delivered]:
    """Yield the events for the listen of this frame, in the order of their delivery; note in it what was looked at."""
    if "mail" not in frame:
        frame["mail"] = [Message.objects.filter(run=job.held.run).aggregate(last=Max("id"))["last"] or 0, 0]
    since, seen = frame["mail"]
    own = Q(step=job.held.step, consumed_at__isnull=True)
    unread = Q(step__isnull=True, id__gt=seen)
    others = Q(consumed_at__isnull=False, event__run=job.held.run, id__gt=max(seen, since))
    rows = Message.objects.filter(own | unread | others, run=job.held.run, kind="event")
    for row in rows.select_related("event").order_by("id"):
        assert row.event is not None  # noqa: S101 - the kind says so
        yield Delivered(row.id, row.event.envelope, own=row.step_id == job.held.step)


def looked_at(frame: dict[str, Any], message: Delivered) -> None:
    """Note in the listen's frame that it has seen this message."""
    if not message.own:
        frame["mail"] = [frame["mail"][0], max(frame["mail"][1], message.id)]
