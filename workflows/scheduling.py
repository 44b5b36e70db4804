"""Schedules at work: start what is due, once for each nominal moment whoever looks first, and what events ask for.

Any worker may look. The row of the schedule is locked while a moment is started for, and the moment, the run and the
next moment are written in one transaction. A start that is refused is recorded, and the schedule goes on.
"""

import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from audit.recording import record
from workflows import occurrences, programs
from workflows.engine import events
from workflows.engine.faults import Fault
from workflows.language import templates
from workflows.language.program import EventFilter, Strategy
from workflows.language.program import Schedule as Rule
from workflows.models import Run, Schedule, ScheduleFire
from workflows.operations.errors import OperationError
from workflows.operations.schedules import set_paused
from workflows.operations.start import Origin, start_workflow
from workflows.services import SERVICES
from workflows.sql import Statement

log = logging.getLogger(__name__)
BATCH = 20
SYSTEM = "system"
AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
# When the last run of an `after` has ended; a start that was refused, or whose run is gone, ended as it was made.
_LAST = """
    CROSS JOIN LATERAL (
        SELECT run_id, created_at FROM schedule_fire WHERE schedule_id = s.id AND NOT skipped
        ORDER BY nominal_at DESC LIMIT 1) f
    LEFT JOIN run r ON r.id = f.run_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN r.id IS NULL THEN f.created_at ELSE coalesce(r.finished_at, r.resolved_at) END AS at) ended
    WHERE s.state = 'active' AND s.kind = 'after' AND s.next_at IS NULL AND ended.at IS NOT NULL
"""
_WAIT = Statement(
    f"""
    SELECT extract(epoch FROM min(due.at) - clock_timestamp())::float8 FROM (
        SELECT min(next_at) AS at FROM schedule WHERE state = 'active' AND next_at IS NOT NULL
        UNION ALL SELECT min(ended.at) FROM schedule s {_LAST}) due
    """  # noqa: S608 - constants
)
_ENDED = Statement(
    f"SELECT s.id, s.version_id, ended.at FROM schedule s {_LAST} FOR NO KEY UPDATE OF s SKIP LOCKED"  # noqa: S608
)
_TAKE = Statement(
    """
    SELECT s.id, s.workflow_id, w.name, s.version_id, v.version, s.next_at, clock_timestamp()
    FROM schedule s JOIN workflow w ON w.id = s.workflow_id JOIN workflow_version v ON v.id = s.version_id
    WHERE s.state = 'active' AND s.next_at <= now()
    ORDER BY s.next_at LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED
    """
)
_FIRE = Statement(
    """
    INSERT INTO schedule_fire (schedule_id, nominal_at, skipped, created_at)
    SELECT :schedule, moment, :skipped, clock_timestamp() FROM unnest(:moments::timestamptz[]) AS moment
    ON CONFLICT (schedule_id, nominal_at) DO NOTHING RETURNING id
    """
)


@dataclass(frozen=True, slots=True)
class Starter:
    """A schedule under lock, and the workflow that it starts."""

    id: uuid.UUID
    workflow: uuid.UUID
    name: str
    version_id: uuid.UUID
    version: str


def wait_seconds() -> float | None:
    """Return the seconds until a schedule is due, zero or less when one is; None when there is none."""
    seconds: float | None = _WAIT.rows()[0][0]
    return seconds


def fire_due() -> int:
    """Start what is due, a few moments at most; return for how many."""
    wait = wait_seconds()
    if wait is None or wait > 0:
        return 0
    _continue_after()
    fired = 0
    while fired < BATCH and _fire_next():
        fired += 1
    return fired


def on_event(
    schedules: Iterable[uuid.UUID], event_id: uuid.UUID, event: Mapping[str, Any], *, sender: uuid.UUID | None = None
) -> list[uuid.UUID]:
    """Start the workflows whose schedules want the event, in the transaction that takes it; return the new runs.

    `schedules` are candidates, `sender` is the run that emitted the event: what it starts is one deeper.
    """
    wanted = list(_listening(schedules))
    if not wanted:
        return []
    depth = 0 if sender is None else Run.objects.values_list("depth", flat=True).get(pk=sender) + 1
    started = [_react(row, event_id, event, depth) for row in wanted]
    return [run for run in started if run is not None]


def _continue_after() -> None:
    """Set the next moment of each `after` whose last run has ended: its end plus the delay (R32)."""
    with transaction.atomic():
        for schedule, version, ended in _ENDED.rows():
            interval = _rule(version).interval
            assert interval is not None  # noqa: S101 - the kind is `after`
            Schedule.objects.filter(pk=schedule).update(next_at=ended + interval)


def _fire_next() -> bool:
    with transaction.atomic():
        rows = _TAKE.rows()
        if not rows:
            return False
        *schedule, next_at, now = rows[0]
        taken = Starter(*schedule)
        try:
            with transaction.atomic():
                _fire(taken, next_at, now)
        except AWAY:
            raise
        except Exception as error:
            # It must not keep the others waiting; a person looks at it and resumes it.
            log.exception("the schedule of %s cannot be read and is paused", taken.name)
            set_paused(taken.id, taken.workflow, actor=SYSTEM, reason=f"it cannot be read: {error}")
    return True


def _fire(taken: Starter, next_at: datetime, now: datetime) -> None:
    rule = _rule(taken.version_id)
    due = occurrences.due(rule, next_at, now)
    _leave_out(taken, next_at, due)
    if due.start is not None and _FIRE.rows({"schedule": taken.id, "moments": [due.start], "skipped": False}):
        key = f"schedule:{taken.id}:{due.start.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        local = due.start.astimezone(ZoneInfo(rule.timezone))
        run = _start(taken, {}, "schedule", key, f"{local:%Y-%m-%d %H:%M:%S %Z}")
        ScheduleFire.objects.filter(schedule=taken.id, nominal_at=due.start).update(run=run)
    Schedule.objects.filter(pk=taken.id).update(next_at=due.next_at)


def _leave_out(taken: Starter, first: datetime, due: occurrences.Due) -> None:
    if not due.skipped and not due.more:
        return
    _FIRE.rows({"schedule": taken.id, "moments": list(due.skipped), "skipped": True})
    last = due.skipped[-1] if due.skipped else due.start
    data = {
        "from": first.isoformat(),
        "to": last.isoformat() if last else None,
        "moments": f"more than {occurrences.MOST_MISSED}" if due.more else str(len(due.skipped)),
    }
    record(chain=taken.workflow, kind="schedule.skipped", actor=SYSTEM, data=data)


def _start(taken: Starter, value: Any, trigger: str, key: str, title: str = "", depth: int = 0) -> uuid.UUID | None:
    """Start the run; None when that was refused, which is recorded."""
    options = {"version": taken.version, "key": key, "title": title, "origin": Origin(depth=depth)}
    try:
        with transaction.atomic():
            return start_workflow(taken.name, value, actor=f"schedule:{taken.name}", trigger=trigger, **options).run_id
    except OperationError as error:
        problems = [str(problem) for problem in getattr(error, "problems", [])]
        data = {"key": key, "version": taken.version, "error": error.message, "problems": problems[:10]}
        log.warning("the schedule of %s could not start a run: %s", taken.name, error.message)
        record(chain=taken.workflow, kind="schedule.failed", actor=SYSTEM, data=data)
        return None


def _listening(schedules: Iterable[uuid.UUID]) -> QuerySet[Schedule]:
    rows = Schedule.objects.filter(pk__in=set(schedules), state="active", kind="on")
    return rows.select_related("workflow", "version").order_by("pk")


def _react(row: Schedule, event_id: uuid.UUID, event: Mapping[str, Any], depth: int) -> uuid.UUID | None:
    rule = _rule(row.version_id)
    assert rule.strategy is not None  # noqa: S101 - the kind is `on`
    items = _items(row, rule.strategy, event, events.read(event, rule.read))
    if items is None:
        return None
    taken = Starter(row.pk, row.workflow_id, row.workflow.name, row.version_id, row.version.version)
    return _start(taken, items, "event", f"schedule:{row.pk}:{event_id}", depth=depth)


def _items(row: Schedule, strategy: Strategy, event: Mapping[str, Any], item: Any) -> list[Any] | None:
    """Return the input of a run that starts now, or None; an `all` collects until each filter has had its event."""
    if strategy.mode != "all":
        fits = not strategy.filters or any(_takes(wanted, event) for wanted in strategy.filters)
        return [item] if fits else None
    locked = _listening([row.pk]).select_for_update(no_key=True, of=("self",)).first()
    if locked is None or locked.version_id != row.version_id:
        return None
    had = locked.pending.get("items", [])
    open_filters = [index for index in range(len(strategy.filters)) if index not in {index for index, _ in had}]
    taker = next((index for index in open_filters if _takes(strategy.filters[index], event)), None)
    if taker is None:
        return None
    had = [*had, [taker, item]]
    complete = len(had) == len(strategy.filters)
    Schedule.objects.filter(pk=row.pk).update(pending={} if complete else {"items": had})
    return [each for _, each in had] if complete else None


def _takes(wanted: EventFilter, event: Mapping[str, Any]) -> bool:
    """Tell whether a filter fits; a condition that fails does not."""
    try:
        return events.matches(wanted, event, _evaluate) and all(
            rule.expect is not None
            and _evaluate(rule.from_, event) == templates.resolve(rule.expect, lambda text: _evaluate(text, None))
            for rule in wanted.correlate.values()
        )
    except Fault:
        return False


def _evaluate(text: str, dot: Any) -> Any:
    return SERVICES.evaluate(text, dot, {})


def _rule(version: uuid.UUID) -> Rule:
    rule = programs.workflow_program(version).schedule
    assert rule is not None  # noqa: S101 - schedules are made from versions that have one
    return rule
