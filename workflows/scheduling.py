"""Schedules by the clock: start what is due, once for each nominal moment, whoever looks first.

Any worker may look. The row of the schedule is locked while a moment is started for, and the moment, the run and the
next moment are written in one transaction.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from audit.recording import record
from workflows import occurrences
from workflows.models import Schedule, ScheduleFire
from workflows.sql import Statement
from workflows.starter import SYSTEM, Starter, pausing, rule_of, start

BATCH = 20
# When the last run of an `after` has ended; a start that was refused ended as it was made, and of a run that is deleted
# the fire says when.
_LAST = """
    CROSS JOIN LATERAL (
        SELECT run_id, created_at, ended_at FROM schedule_fire WHERE schedule_id = s.id AND NOT skipped
        ORDER BY nominal_at DESC LIMIT 1) f
    LEFT JOIN run r ON r.id = f.run_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN r.id IS NULL THEN coalesce(f.ended_at, f.created_at)
            ELSE coalesce(r.finished_at, r.resolved_at) END AS at) ended
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


def _continue_after() -> None:
    """Set the next moment of each `after` whose last run has ended: its end plus the delay (R32)."""
    with transaction.atomic():
        for schedule, version, ended in _ENDED.rows():
            interval = rule_of(version).interval
            assert interval is not None  # noqa: S101 - the kind is `after`
            Schedule.objects.filter(pk=schedule).update(next_at=ended + interval)


def _fire_next() -> bool:
    with transaction.atomic():
        rows = _TAKE.rows()
        if not rows:
            return False
        *schedule, next_at, now = rows[0]
        taken = Starter(*schedule)
        with pausing(taken.id, taken.workflow, taken.name):
            _fire(taken, next_at, now)
    return True


def _fire(taken: Starter, next_at: datetime, now: datetime) -> None:
    rule = rule_of(taken.version_id)
    due = occurrences.due(rule, next_at, now)
    _leave_out(taken, next_at, due)
    if due.start is not None and _FIRE.rows({"schedule": taken.id, "moments": [due.start], "skipped": False}):
        key = f"schedule:{taken.id}:{due.start.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        local = due.start.astimezone(ZoneInfo(rule.timezone))
        run = start(taken, {}, "schedule", key, f"{local:%Y-%m-%d %H:%M:%S %Z}")
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
