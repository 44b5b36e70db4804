"""Pages of what belongs to one run, however long it is: its steps and its audit trail, oldest first."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from audit.models import AuditEvent
from dotdo_site.lib.paging import decode, encode
from workflows.models import Run, Step
from workflows.queries.rows import AuditView, Page, StepView
from workflows.queries.steps import step_views
from workflows.queries.trail import audit_view

M = TypeVar("M", bound=Model)
Order = Mapping[str, Callable[[str], Any]]
STEPS: Order = {"id": uuid.UUID}
EVENTS: Order = {"at": datetime.fromisoformat, "chain": uuid.UUID, "seq": int}


def steps(
    run_id: uuid.UUID, *, after: str | None = None, before: str | None = None, limit: int = 50
) -> Page[StepView] | None:
    """Return one page of the steps of a run in the order in which they began, None without such a run.

    Raises BadCursor.
    """
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        return None
    rows = Step.objects.filter(run=run).select_related("action_version")
    page = _page(rows, STEPS, after, before, limit)
    return Page(step_views(run, page.items), page.next, page.previous)


def step(run_id: uuid.UUID, step_id: uuid.UUID) -> StepView | None:
    """Return a step with its attempts, None when the run has no such step."""
    found = Step.objects.filter(run=run_id, pk=step_id).select_related("action_version", "run").first()
    return step_views(found.run, [found])[0] if found else None


def events(
    run_id: uuid.UUID, *, after: str | None = None, before: str | None = None, limit: int = 50
) -> Page[AuditView] | None:
    """Return one page of the audit trail of a run, of a deleted one too; None without such a run. Raises BadCursor."""
    trail = AuditEvent.objects.filter(run=run_id)
    if not Run.objects.filter(pk=run_id).exists() and not trail.exists():
        return None
    page = _page(trail, EVENTS, after, before, limit)
    return Page([audit_view(event) for event in page.items], page.next, page.previous)


def _page(rows: QuerySet[M], order: Order, after: str | None, before: str | None, limit: int) -> Page[M]:
    names = list(order)
    if before:
        rows = rows.filter(_beyond("lt", _key(order, before)))
        found = list(rows.order_by(*(f"-{name}" for name in names))[: limit + 1])
        more, found = len(found) > limit, found[:limit][::-1]
        return Page(found, _cursor(found, -1, names), _cursor(found, 0, names) if more else None)
    if after:
        rows = rows.filter(_beyond("gt", _key(order, after)))
    found = list(rows.order_by(*names)[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(found, _cursor(found, -1, names) if more else None, _cursor(found, 0, names) if after else None)


def _key(order: Order, cursor: str) -> dict[str, Any]:
    return dict(zip(order, decode(cursor, *order.values()), strict=True))


def _beyond(way: str, key: dict[str, Any]) -> Q:
    """Return the condition for rows whose sort key is greater or less than this one, field by field."""
    beyond = Q(pk__in=[])
    for name, value in reversed(key.items()):
        beyond = Q(**{f"{name}__{way}": value}) | (Q(**{name: value}) & beyond)
    return beyond


def _cursor(found: list[Any], index: int, names: list[str]) -> str | None:
    return encode(*(getattr(found[index], name) for name in names)) if found else None
