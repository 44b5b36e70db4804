"""Let runs go on after they rested: failed steps become ready, held ones are let go, parents that were parked wake up.

Deadlines of blocks pause while a run rests: their timers are moved by as long as it did.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import ExpressionWrapper, F
from django.db.models.fields import DateTimeField
from django.db.models.functions import Now

from workflows import payloads
from workflows.models import Branch, Run, Step
from workflows.operations.locking import Line, Locked
from workflows.sql import Statement


@dataclass(frozen=True, slots=True)
class Freed:
    """A step that was held; `due`: its time has come."""

    run: uuid.UUID
    kind: str
    function: str
    failures: int
    due_at: datetime
    due: bool


def uncaught(run: Run) -> list[Step]:
    """Return the failed steps that a run is parked on, in id order."""
    return list(Step.objects.filter(run=run, state="failed", caught=False).order_by("id"))


def make_ready(step: Step, *, edited: bool = False) -> None:
    """Put a failed step back, all its attempts anew. A deadline begins again; a definite refusal means that nothing
    happened, so the effect gets a new key, as it does with another input.
    """
    error = payloads.resolve(step.error, payloads.load(step.run_id, [step.error]))
    refused = bool(error and error.get("definite"))
    again = ExpressionWrapper(Now() + (F("due_at") - F("created_at")), output_field=DateTimeField())
    Step.objects.filter(pk=step.pk).update(
        state="ready",
        due_at=again if step.kind == "timer" else Now(),
        failures=0,
        crashes=0,
        finished_at=None,
        generation=F("generation") + (1 if refused or edited else 0),
    )
    busy(step)


def busy(step: Step) -> None:
    """Note that the branch of a step does not rest any more."""
    Branch.objects.filter(pk=step.branch_id).update(rest="", revision=F("revision") + 1)


def free(runs: Sequence[Run]) -> list[Freed]:
    """Let go what runs held. A step whose time has come, or that waited for something, looks at once, and rests again
    if there is nothing for it.
    """
    return [Freed(*row) for row in _FREE.rows({"runs": [run.id for run in runs]})]


def go_on(member: Locked, reason: str = "") -> bool:
    """Take a failed run out of the dead letters; False, and nothing is done, while it is parked on another step."""
    if uncaught(member.run):
        return False
    free([member.run])
    Run.objects.filter(pk=member.run.pk).update(state="running", reason=reason, error=None, stopped_at=None)
    return True


def unpark(line: Line) -> list[tuple[Locked, str, dict[str, Any]]]:
    """Let the runs above go on that are parked on this one; return what to record about them."""
    notes: list[tuple[Locked, str, dict[str, Any]]] = []
    child = line.head.run
    for parent in reversed(line.above):
        step = next((step for step in uncaught(parent.run) if step.id == child.parent_step), None)
        if parent.run.state != "failed" or parent.run.resolved_at or step is None:
            break
        make_ready(step)
        notes.append((parent, "run.unparked", {"step": step.key, "child": str(child.id)}))
        if not go_on(parent):
            break
        child = parent.run
    return notes


_FREE = Statement(
    """
    WITH held AS MATERIALIZED (
        SELECT s.id, clock_timestamp() - r.stopped_at AS rested FROM step s JOIN run r ON r.id = s.run_id
        WHERE s.run_id = ANY(:runs::uuid[]) AND s.state = 'held' ORDER BY s.id FOR NO KEY UPDATE OF s),
    freed AS (
        UPDATE step s SET state = 'ready', due_at = s.due_at
            + CASE WHEN s.kind = 'timer' THEN coalesce(held.rested, interval '0') ELSE interval '0' END
        FROM held WHERE s.id = held.id
        RETURNING s.run_id, s.branch_id, s.kind, s.function, s.failures, s.due_at,
            s.due_at <= clock_timestamp() AS due),
    busy AS (
        UPDATE branch b SET rest = '', revision = b.revision + 1
        WHERE b.state = 'open' AND b.id IN (SELECT branch_id FROM freed WHERE due AND kind NOT IN ('timer', 'join')))
    SELECT run_id, kind, function, failures, due_at, due FROM freed
    """
)
