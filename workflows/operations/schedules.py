"""The schedules of workflows: they come and go with the versions that are published; people pause and resume them."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction

from actions.running import refuse_inside_handler
from audit.recording import record
from workflows import occurrences, programs, rules, wake
from workflows.engine import events
from workflows.language import program
from workflows.language.program import Strategy
from workflows.models import Schedule, Subscription, Workflow, WorkflowVersion
from workflows.operations.errors import UnknownSchedule, refuse
from workflows.operations.start import Started, start_workflow, title_of
from workflows.sql import Statement

_NOW = Statement("SELECT clock_timestamp()")


def follow(version: WorkflowVersion, *, actor: str) -> None:
    """Give a workflow the schedule of the version that is being published, or none, in the caller's transaction.

    A schedule that stays the same keeps its next moment, one that is paused stays paused.
    """
    wanted = program.build(version.document, version.lock).schedule
    row = Schedule.objects.select_for_update(no_key=True).filter(workflow=version.workflow_id).first()
    if wanted is None:
        if row is not None:
            row.delete()
            _record("schedule.removed", version.workflow_id, actor, {"version": version.version})
        return
    next_at = _first(row, version, wanted)
    values = {
        "version": version,
        "kind": wanted.kind,
        "spec": version.document["schedule"],
        "timezone": wanted.timezone,
        "missed": wanted.missed,
        "next_at": next_at,
    }
    same = row is not None and row.spec == values["spec"]
    kept: dict[str, Any] = {} if same else {"pending": {}}
    row, _ = Schedule.objects.update_or_create(workflow=version.workflow, defaults=values | kept)
    _subscribe(row, wanted.strategy)
    data = {"version": version.version, "kind": wanted.kind, "next": _text(next_at)}
    _record("schedule.set", version.workflow_id, actor, data)
    wake.workers()


def pause_schedule(name: str, *, actor: str, reason: str) -> None:
    """Let a workflow not start by itself until it is resumed; what passes meanwhile is left out.

    Raises UnknownSchedule, NotAllowed.
    """
    refuse_inside_handler("pause a schedule")
    with transaction.atomic():
        row = _lock(name)
        refuse(rules.pause_refusal(row.state))
        set_paused(row.pk, row.workflow_id, actor=actor, reason=reason)


def set_paused(schedule: uuid.UUID, workflow: uuid.UUID, *, actor: str, reason: str) -> None:
    """Pause a schedule that is locked."""
    Schedule.objects.filter(pk=schedule).update(state="paused")
    _record("schedule.paused", workflow, actor, {}, reason)


def resume_schedule(name: str, *, actor: str, reason: str) -> None:
    """Let a paused schedule go on with the next moment from now. Raises UnknownSchedule, NotAllowed."""
    refuse_inside_handler("resume a schedule")
    with transaction.atomic():
        row = _lock(name)
        refuse(rules.resume_schedule_refusal(row.state))
        rule = programs.workflow_program(row.version_id).schedule
        assert rule is not None  # noqa: S101 - `follow` made the row from it
        now: datetime = _NOW.rows()[0][0]
        next_at = None if _chained(row, rule) else occurrences.resumed(rule, row.next_at, now)
        Schedule.objects.filter(pk=row.pk).update(state="active", next_at=next_at)
        _record("schedule.resumed", row.workflow_id, actor, {"next": _text(next_at)}, reason)
        wake.workers()


def run_schedule_now(name: str, *, token: uuid.UUID, actor: str, reason: str) -> Started:
    """Start a run as the schedule would, beside its moments: once for a token, which comes with the form.

    Raises UnknownSchedule, NotAllowed and what `start_workflow` raises.
    """
    refuse_inside_handler("run a schedule")
    with transaction.atomic():
        row = _lock(name)
        refuse(rules.run_now_refusal(row.kind))
        workflow = Workflow.objects.get(pk=row.workflow_id)
        started = start_workflow(
            name,
            {},
            actor=actor,
            trigger="schedule",
            version=row.version.version,
            key=f"schedule:{row.pk}:now:{token}",
            title=title_of(workflow),
        )
        if started.created:
            data = {"run": str(started.run_id), "version": row.version.version}
            _record("schedule.run_now", row.workflow_id, actor, data, reason)
    return started


def _lock(name: str) -> Schedule:
    rows = Schedule.objects.select_for_update(no_key=True, of=("self",)).select_related("version")
    row = rows.filter(workflow__name=name).first()
    if row is None:
        raise UnknownSchedule(name)
    return row


def _first(row: Schedule | None, version: WorkflowVersion, wanted: program.Schedule) -> datetime | None:
    if row is not None and _chained(row, wanted):
        return None
    same = row is not None and (row.spec, row.timezone) == (version.document["schedule"], wanted.timezone)
    if row is not None and same and row.next_at is not None:
        return row.next_at
    now: datetime = _NOW.rows()[0][0]
    return occurrences.first(wanted, now)


def _chained(row: Schedule, wanted: program.Schedule) -> bool:
    """Tell whether the next moment is known only from the end of a run that was started (R32)."""
    return row.kind == wanted.kind == "after" and row.fires.filter(skipped=False).exists()


def _subscribe(row: Schedule, strategy: Strategy | None) -> None:
    Subscription.objects.filter(schedule=row).delete()
    filters = events.summary(strategy, lambda _: {}) if strategy else ()
    Subscription.objects.bulk_create(
        Subscription(schedule=row, index=known.index, type=known.type, source=known.source) for known in filters
    )


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _record(kind: str, workflow: uuid.UUID, actor: str, data: dict[str, Any], reason: str = "") -> None:
    record(chain=workflow, kind=kind, actor=actor, reason=reason, data=data)
