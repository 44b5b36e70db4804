"""Workflows that start by events: what schedules of the kind `on` make of an event that was taken."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import QuerySet

from workflows.engine import events
from workflows.engine.faults import Fault
from workflows.language import templates
from workflows.language.program import EventFilter, Strategy
from workflows.models import Run, Schedule
from workflows.services import SERVICES
from workflows.sql import Statement
from workflows.starter import Starter, pausing, rule_of, start

Causes = dict[uuid.UUID, list[uuid.UUID]]  # of runs that start: the events, the last one completes them
# The moment is the clock's, not the transaction's: events that are taken together are a fire each.
_FIRED = Statement(
    """
    INSERT INTO schedule_fire (schedule_id, nominal_at, run_id, skipped, created_at)
    SELECT :schedule, at, :run::uuid, false, at FROM (SELECT clock_timestamp() AS at) now
    ON CONFLICT (schedule_id, nominal_at) DO NOTHING RETURNING id
    """
)


def on_event(
    schedules: Iterable[uuid.UUID], event_id: uuid.UUID, event: Mapping[str, Any], *, sender: uuid.UUID | None = None
) -> Causes:
    """Start the workflows whose schedules want the event, in the transaction that takes it; return the new runs.

    Each with the ids of the events that it was started by, this one last.

    `schedules` are candidates, `sender` is the run that emitted the event: what it starts is one deeper.
    """
    wanted = list(_listening(schedules))
    if not wanted:
        return {}
    depth = 0 if sender is None else Run.objects.values_list("depth", flat=True).get(pk=sender) + 1
    started: Causes = {}
    for row in wanted:
        with pausing(row.pk, row.workflow_id, row.workflow.name):
            started |= _react(row, event_id, event, depth)
    return started


def _listening(schedules: Iterable[uuid.UUID]) -> QuerySet[Schedule]:
    rows = Schedule.objects.filter(pk__in=set(schedules), state="active", kind="on")
    return rows.select_related("workflow", "version").order_by("pk")


def _react(row: Schedule, event_id: uuid.UUID, event: Mapping[str, Any], depth: int) -> Causes:
    rule = rule_of(row.version_id)
    assert rule.strategy is not None  # noqa: S101 - the kind is `on`
    had = _items(row, rule.strategy, event_id, event, events.read(event, rule.read))
    if had is None:
        return {}
    items, causes = had
    taken = Starter(row.pk, row.workflow_id, row.workflow.name, row.version_id, row.version.version)
    run = start(taken, items, "event", f"schedule:{row.pk}:{event_id}", depth=depth)
    _FIRED.rows({"schedule": row.pk, "run": run})
    return {run: causes} if run else {}


def _items(
    row: Schedule, strategy: Strategy, event_id: uuid.UUID, event: Mapping[str, Any], item: Any
) -> tuple[list[Any], list[uuid.UUID]] | None:
    """Return the input of a run that starts now, and the events that it is of, or None.

    An `all` collects until each filter has had its event.
    """
    if strategy.mode != "all":
        fits = not strategy.filters or any(_takes(wanted, event) for wanted in strategy.filters)
        return ([item], [event_id]) if fits else None
    locked = _listening([row.pk]).select_for_update(no_key=True, of=("self",)).first()
    if locked is None or locked.version_id != row.version_id:
        return None
    had = locked.pending.get("items", [])
    taken = {index for index, *_ in had}
    open_filters = [index for index in range(len(strategy.filters)) if index not in taken]
    taker = next((index for index in open_filters if _takes(strategy.filters[index], event)), None)
    if taker is None:
        return None
    had = [*had, [taker, item, str(event_id)]]
    complete = len(had) == len(strategy.filters)
    Schedule.objects.filter(pk=row.pk).update(pending={} if complete else {"items": had})
    if not complete:
        return None
    # what was collected by an older release is without its id
    return [each for _, each, *_ in had], [uuid.UUID(number) for _, _, *numbers in had for number in numbers]


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
