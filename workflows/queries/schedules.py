"""Schedules: when workflows start by themselves, and what became of it."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from audit.models import AuditEvent
from audit.recording import KINDS
from workflows import occurrences, programs
from workflows.language.program import EventFilter, Strategy
from workflows.language.program import Schedule as Rule
from workflows.language.templates import Constant
from workflows.models import Schedule, ScheduleFire
from workflows.queries.labels import label

UPCOMING = 5
LATEST = 8
NOTED = ("schedule.failed", "schedule.skipped", "schedule.paused", "schedule.resumed")
UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """A schedule in a list. `upcoming` are its next moments, empty when it is paused or starts by events."""

    workflow: str
    version: str
    kind: str
    rule: str
    timezone: str
    missed: str
    state: str
    next_at: datetime | None
    upcoming: list[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class FireRow:
    """A moment that came: the run that was started, or why there is none (`skipped`, otherwise it was refused)."""

    nominal_at: datetime
    run: uuid.UUID | None
    label: str
    skipped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRow:
    """Something about the schedule that people should know."""

    at: datetime
    kind: str
    actor: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDetail(ScheduleRow):
    """A schedule with what it did last, newest first."""

    fires: list[FireRow]
    notes: list[NoteRow]


def schedules() -> list[ScheduleRow]:
    """Return all schedules by the name of their workflow."""
    rows = Schedule.objects.select_related("workflow", "version").order_by("workflow__name")
    return [ScheduleRow(**_facts(row)) for row in rows]


def schedule(name: str) -> ScheduleDetail | None:
    """Return the schedule of a workflow, or None."""
    row = Schedule.objects.select_related("workflow", "version").filter(workflow__name=name).first()
    if row is None:
        return None
    fires = ScheduleFire.objects.filter(schedule=row).select_related("run").order_by("-nominal_at")[:LATEST]
    notes = AuditEvent.objects.filter(chain=row.workflow_id, kind__in=NOTED).order_by("-seq")[:LATEST]
    return ScheduleDetail(
        **_facts(row), fires=[_fire_row(fire) for fire in fires], notes=[_note_row(event) for event in notes]
    )


def _facts(row: Schedule) -> dict[str, Any]:
    rule = programs.workflow_program(row.version_id).schedule
    assert rule is not None  # noqa: S101 - the row was made from it
    return {
        "workflow": row.workflow.name,
        "version": row.version.version,
        "kind": row.kind,
        "rule": _words(rule),
        "timezone": row.timezone,
        "missed": row.missed,
        "state": row.state,
        "next_at": row.next_at if row.state == "active" else None,
        "upcoming": _upcoming(row, rule) if row.state == "active" else [],
    }


def _upcoming(row: Schedule, rule: Rule) -> list[datetime]:
    if row.next_at is None:
        return []
    return [row.next_at, *islice(occurrences.moments(rule, row.next_at), UPCOMING - 1)]


def _words(rule: Rule) -> str:
    if rule.strategy is not None:
        return _event_words(rule.strategy)
    if rule.cron is not None:
        return f"at {rule.cron} ({rule.timezone})"
    length = _length(rule.interval or timedelta())
    return f"every {length}" if rule.kind == "every" else f"{length} after the last run has ended"


def _length(interval: timedelta) -> str:
    seconds = interval.total_seconds()
    size, unit = next((each for each in UNITS if seconds % each[0] == 0), UNITS[-1])
    count = seconds / size
    return f"{count:g} {unit}{'' if count == 1 else 's'}"


def _event_words(strategy: Strategy) -> str:
    if not strategy.filters:
        return "on every event"
    names = [_filter_words(wanted) for wanted in strategy.filters]
    if strategy.mode == "all" and len(names) > 1:
        return f"when there was one event of each: {', '.join(names)}"
    return f"on {' or '.join(names)}"


def _filter_words(wanted: EventFilter) -> str:
    rule = wanted.with_.get("type")
    others = len(wanted.with_) + len(wanted.correlate) - (rule is not None)
    name = str(rule.value) if isinstance(rule, Constant) else "an event"
    return f"{name} (with conditions)" if others else name


def _fire_row(fire: ScheduleFire) -> FireRow:
    run = fire.run
    shown = label(run.state, run.reason, run.resolved_at) if run else ""
    return FireRow(nominal_at=fire.nominal_at, run=fire.run_id, label=shown, skipped=fire.skipped)


def _note_row(event: AuditEvent) -> NoteRow:
    data: Mapping[str, Any] = json.loads(event.data)
    return NoteRow(
        at=event.at,
        kind=event.kind,
        actor=event.actor,
        reason=event.reason,
        sentence=_SENTENCES.get(event.kind, lambda _: KINDS[event.kind])(data),
    )


def _failed(data: Mapping[str, Any]) -> str:
    return " ".join(["No run was started:", str(data.get("error")), *map(str, data.get("problems", []))])


def _skipped(data: Mapping[str, Any]) -> str:
    return f"Left out after downtime: {data.get('moments')} moments from {data.get('from')} to {data.get('to')}."


_SENTENCES = {"schedule.failed": _failed, "schedule.skipped": _skipped}
