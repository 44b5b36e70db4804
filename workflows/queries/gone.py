"""What the audit trail still knows of a run that is not kept any more: when it went, and by which rule."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from actions.models import Action
from audit.models import AuditEvent
from workflows.models import Workflow

APART = timedelta(minutes=1)  # between the end of a run and what its trail says of it


@dataclass(frozen=True, slots=True)
class Gone:
    """When a run was deleted and what it was; `days` is the rule, 0 when a person erased it for the `reason` given.

    `at` is None when the trail does not say it any more.
    """

    definition: str
    at: datetime | None
    days: int
    by: str
    reason: str


def gone(run_id: uuid.UUID) -> Gone:
    """Return what became of a run that is not there."""
    events = AuditEvent.objects.filter(run=run_id)
    started = events.filter(kind="run.started").order_by("id").first()
    definition = json.loads(started.data).get("definition", "") if started else ""
    erased = events.filter(kind="run.erased").order_by("id").first()
    if erased is not None:
        return Gone(definition, erased.at, 0, erased.actor, erased.reason)
    last = events.order_by("-at").values_list("at", flat=True).first()
    deleted = _deleted(definition.partition(":")[0], last) if definition and last else None
    days = json.loads(deleted.data).get("days", 0) if deleted else 0
    return Gone(definition, deleted.at if deleted else None, days, deleted.actor if deleted else "", "")


def _deleted(name: str, last: datetime) -> AuditEvent | None:
    """Return the deletion that a run which ended then was part of: the first that reached that far."""
    owners = [*Workflow.objects.filter(name=name).values_list("pk", flat=True)]
    owners += Action.objects.filter(name=name).values_list("pk", flat=True)
    rows = AuditEvent.objects.filter(chain__in=owners, kind="retention.deleted", at__gt=last).order_by("at")
    return next((row for row in rows[:1_000] if _reached(row, last)), None)


def _reached(deleted: AuditEvent, last: datetime) -> bool:
    newest = json.loads(deleted.data).get("newest")
    return newest is not None and datetime.fromisoformat(newest) >= last - APART
