"""What was delivered to a run, and what its listening steps wait for."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from actions.sensitive import mask
from workflows import rules
from workflows.models import Message, Run, Subscription, Undo

LIMIT = 50


@dataclass(frozen=True, slots=True)
class MessageRow:
    """An event or an answer; `consumed_at` is None while nobody has taken it."""

    kind: str
    title: str
    by: str
    data: Any
    created_at: datetime
    consumed_at: datetime | None
    step: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One filter of a listening step, as far as it is known before an event comes."""

    type: str
    source: str


def messages(run_id: uuid.UUID, step_id: uuid.UUID | None = None) -> list[MessageRow]:
    """Return the last 50 messages to a run, the newest first; with a step, those to it and those to the whole run that
    it took.
    """
    rows = Message.objects.filter(run=run_id).select_related("event")
    if step_id is not None:
        rows = rows.filter(Q(step=step_id))
    return [_row(message) for message in rows.order_by("-id")[:LIMIT]]


def mailbox(run_id: uuid.UUID) -> str | None:
    """Return why the run takes no messages any more, empty if it does; None if there is no such run."""
    state = Run.objects.filter(pk=run_id).values_list("state", flat=True).first()
    return None if state is None else rules.cancel_refusal(state) or ""


def wanted(step_id: uuid.UUID) -> list[Wanted]:
    """Return what a listening step waits for."""
    rows = Subscription.objects.filter(step=step_id).order_by("index")
    return [Wanted(row.type, row.source) for row in rows]


def undos(run_id: uuid.UUID) -> list[tuple[str, str]]:
    """Return (step, function) of what an undo of the run would do, in that order."""
    rows = Undo.objects.filter(run=run_id, state__in=("recorded", "running")).order_by("-id")
    return list(rows.values_list("name", "function"))


def _row(message: Message) -> MessageRow:
    event, data = message.event, message.data or {}
    if event is not None:
        title, by, shown = event.type, event.source, event.envelope.get("data")
    elif data.get("fire"):
        title, by, shown = "wait ended early", str(data.get("by", "")), None
    elif data.get("skip"):
        title, by, shown = "output given by hand", str(data.get("by", "")), data.get("output")
    else:
        title, by, shown = str(data.get("decision", "answer")), str(data.get("by", "")), data.get("data")
    return MessageRow(
        message.kind, title, by, mask({}, shown), message.created_at, message.consumed_at, message.step_id
    )
