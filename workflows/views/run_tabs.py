"""The views of a run: their titles with counts, and what each of them shows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dotdo_site.lib.paging import BadCursor
from workflows import queries
from workflows.queries import AuditView, RunOutline, StepLine
from workflows.views import graph, timeline
from workflows.views.permissions import may
from workflows.views.run_address import LEVELS, Address

READ_TRAIL = "audit.view_auditevent"
TITLES = {
    "timeline": _("Timeline"),
    "graph": _("Graph"),
    "events": _("Events"),
    "io": _("Input and output"),
    "logs": _("Logs"),
    "related": _("Related"),
}
MANY = 1_000
EVENTS, LINES = 100, 200
RAW = ("input", "output", "context", "error")
BAD_CURSOR = _("This page of the list does not exist: begin at the first one.")


@dataclass(frozen=True)
class Tab:
    """A view in the row of views; `count` is None where there is nothing to count."""

    title: Any
    url: str
    current: bool
    count: int | None = None

    @property
    def many(self) -> bool:
        """Tell whether there are more than were counted."""
        return self.count == MANY


@dataclass(frozen=True)
class Told:
    """An event of the trail, the step that it is about, and the tasks that led from it to the next step, in words."""

    event: AuditView
    step: UUID | None = None
    notes: Sequence[str] = ()


def tabs(request: HttpRequest, run: RunOutline, address: Address) -> list[Tab]:
    """Return the row of views."""
    counts = {
        "events": queries.count_events(run.id, trail=may(request, READ_TRAIL), limit=MANY),
        "logs": queries.count_logs(run.id, MANY),
        "related": queries.count_related(run.id, _parents(run), MANY),
    }
    return [Tab(title, address.at(view), view == address.view, counts.get(view)) for view, title in TITLES.items()]


def contents(request: HttpRequest, run: RunOutline, address: Address, step: StepLine | None) -> dict[str, Any]:
    """Return what the chosen view shows."""
    return CONTENTS[address.view](request, run, address, step)


def _timeline(request: HttpRequest, run: RunOutline, address: Address, step: StepLine | None) -> dict[str, Any]:
    asked = timeline.Asked(
        fold=address.get("fold") != "0",
        problems=address.get("rows") == "problems",
        all=address.get("rows") == "all",
        open=address.opened,
        step=str(step.id) if step else "",
    )
    drawn = timeline.build(run, timezone.now(), asked)
    trail = may(request, READ_TRAIL)
    return {
        "timeline": drawn,
        "asked": asked,
        "rows": [(row, address.toggled(row.group.key) if row.group and row.loop else "") for row in drawn.rows],
        "shows": {
            "all": address.to(rows=""),
            "problems": address.to(rows="problems"),
            "fold": address.to(fold=""),
            "true": address.to(fold="0"),
            "everything": address.to(rows="all"),
        },
        "story": _told(run, queries.key_events(run.id)) if trail else [],
        "all_events": address.at("events"),
    }


def _graph(request: HttpRequest, run: RunOutline, _address: Address, _step: StepLine | None) -> dict[str, Any]:
    return graph.of_run(run, request)


def _events(request: HttpRequest, run: RunOutline, address: Address, _step: StepLine | None) -> dict[str, Any]:
    trail = may(request, READ_TRAIL)
    paged = _paged(address, lambda **page: queries.events(run.id, **page, limit=EVENTS), trail)
    story = _told(run, paged["page"].items) if paged["page"] else []
    return {**paged, "story": story, "may_audit": trail, "messages": queries.messages(run.id)}


def _io(_request: HttpRequest, run: RunOutline, _address: Address, _step: StepLine | None) -> dict[str, Any]:
    return {
        "values": queries.values_of(run.id),
        "raw": {part: reverse("run-raw", args=[run.id, part]) for part in RAW},
        "messages": queries.messages(run.id),
    }


def _logs(_request: HttpRequest, run: RunOutline, address: Address, _step: StepLine | None) -> dict[str, Any]:
    level, of = address.get("level"), _uuid(address.get("of"))
    known = {step.id for step in run.steps}
    filters = {
        "levels": [(each, address.to(level=each, after="", before=""), each == level) for each in ("", *LEVELS[1:])],
        "log_steps": [step for step in run.steps if step.kind not in timeline.QUIET],
        "of": of if of in known else None,
        "level": level,
    }
    return filters | _paged(address, lambda **page: queries.logs(run.id, level=level, step=of, **page, limit=LINES))


def _related(_request: HttpRequest, run: RunOutline, _address: Address, _step: StepLine | None) -> dict[str, Any]:
    return {"related": queries.related(run.id, _parents(run)), "group": queries.group_of(run.id)}


def _told(run: RunOutline, events: Iterable[AuditView]) -> list[Told]:
    ids = {step.key: step.id for step in run.steps}
    return [Told(event, ids.get(event.data.get("step", "")), _notes(event)) for event in events]


def _notes(event: AuditView) -> list[str]:
    """Return what was noted on the way, such as `choose took express`; that a block is done is no news."""
    noted = [text.partition(" ") for text in event.data.get("path", ())]
    return [f"{queries.name_of(key)} {words}" for key, _, words in noted if words]


def _paged(address: Address, read: Callable[..., Any], allowed: bool = True) -> dict[str, Any]:
    """Return a page of a list with the addresses of those before and after it; `problem` when there is no such page."""
    before, after = address.get("before") or None, address.get("after") or None
    try:
        page = read(before=before, after=None if before else after) if allowed else None
    except BadCursor:
        return {"page": None, "problem": BAD_CURSOR, "first": address.to(before="", after="")}
    return {
        "page": page,
        "earlier_page": address.to(before=page.previous, after="") if page and page.previous else "",
        "later_page": address.to(after=page.next, before="") if page and page.next else "",
        "whole": not (before or after),
    }


def _parents(run: RunOutline) -> list[UUID]:
    return [step.id for step in run.steps if step.kind == "run" or step.function.startswith("map:")]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


CONTENTS = {
    "timeline": _timeline, "graph": _graph, "events": _events, "io": _io, "logs": _logs, "related": _related,
}  # fmt: skip
