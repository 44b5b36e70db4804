"""Why there is no such run: there never was, or it was erased or deleted, and the audit trail still knows it."""

import uuid
from datetime import datetime

from audit.models import AuditEvent
from workflows.operations.errors import GoneRun, UnknownRun
from workflows.sql import Statement

_STAYS = Statement("SELECT id FROM run WHERE id = :run FOR KEY SHARE")
_EVENT_STAYS = Statement("SELECT id FROM event WHERE id = :event FOR KEY SHARE")


def missing(run_id: uuid.UUID) -> UnknownRun:
    """Return the error for a run that is not there."""
    events = AuditEvent.objects.filter(run=run_id)
    if not events.exists():
        return UnknownRun(run_id)
    erased: datetime | None = events.filter(kind="run.erased").values_list("at", flat=True).first()
    return GoneRun(run_id, erased)


def was_there(run_id: uuid.UUID) -> bool:
    """Tell whether a run that is not there was there once."""
    return AuditEvent.objects.filter(run=run_id).exists()


def stays(run_id: uuid.UUID) -> bool:
    """Keep a run from being deleted before the caller's transaction has ended; False when it is gone already."""
    return bool(_STAYS.rows({"run": run_id}))


def event_stays(event_id: uuid.UUID) -> bool:
    """Keep an event from being deleted before the caller's transaction has ended; False when it is gone already."""
    return bool(_EVENT_STAYS.rows({"event": event_id}))
