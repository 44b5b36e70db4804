"""The page of a run, put together: head, row of views, the chosen view, the chosen step."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone

from workflows import queries
from workflows.approvals import person_of
from workflows.queries import RunOutline, StepLine, StepView
from workflows.views import inspector, live, run_menu, run_tabs, timeline, wording
from workflows.views.filters import Asked
from workflows.views.permissions import may
from workflows.views.rests import rests
from workflows.views.run_address import Address

FRAGMENTS = {
    "head": "runs/_head.html",
    "tabs": "runs/_tabs.html",
    "view": "runs/_view.html",
    "inspector": "runs/_inspector.html",
}
FINISHED = ("succeeded", "cancelled")


@dataclass(frozen=True)
class Beside:
    """The list that the reader came from, and the runs beside this one in it; empty at the ends."""

    list: str
    newer: str
    older: str


def build(request: HttpRequest, run: RunOutline) -> live.Live:
    """Render the parts of the page that may change."""
    address = Address.read(request.GET)
    step = _step(run, address)
    context = {
        "run": run,
        "view": address.view,
        "link": {"step": address.step(), "none": address.to(step="none", attempt="", diff="")},
        "request_path": reverse("run", args=[run.id]),
        "tabs": run_tabs.tabs(request, run, address),
        "step": step,
        **_head(request, run, address),
        **run_tabs.contents(request, run, address, step),
    }
    if step is not None:
        context |= inspector.build(run, step, address, alone=False)
    rendered = live.fragments(request, FRAGMENTS, context)
    poll = "" if run.state in FINISHED else reverse("run-live", args=[run.id])
    return live.Live(rendered, poll, queries.live_token(run.id), live.RUN_SECONDS, address.query)


def _head(request: HttpRequest, run: RunOutline, address: Address) -> dict[str, Any]:
    subject = wording.subject(run)
    explanation = wording.explain(run, queries.step(run.id, subject.id) if subject else None)
    person = person_of(request.user) if may(request, "workflows.answer_approval") else None
    waiting_for = rests(run, person)
    about = run_menu.chosen_first(wording.failed_step(run), run)
    return {
        "explanation": explanation,
        "rests": waiting_for,
        # they say what the sentence of the run would say
        "told": bool(waiting_for) and run.reason in ("person", "event"),
        "menu": run_menu.menu(request, run, about, told=explanation is not None),
        "ended": run.finished_at or (timeline.stopped(run, timezone.now()) if run.state == "failed" else None),
        "active": timeline.active_seconds(run, timezone.now()),
        "not_reached": timeline.not_reached(run),
        "beside": beside(run, address),
        "group": queries.group_of(run.id) if run.state == "failed" else None,
        "start_again": reverse(f"{run.kind}-start", args=[run.name]) + f"?from={run.id}",
    }


def beside(run: RunOutline, address: Address) -> Beside | None:
    """Return the runs beside this one in the list that the address names."""
    text = address.get("list")
    asked = Asked.read(QueryDict(text)) if text else None
    if asked is None or asked.problems:
        return None
    newer, older = queries.neighbours(asked.at(timezone.now()), run.id)
    ends = [f"{reverse('run', args=[other])}{_onwards(address)}" if other else "" for other in (newer, older)]
    return Beside(f"{reverse('runs')}?{text}", *ends)


def _onwards(address: Address) -> str:
    """Return the query string for the next run of the list: its step is another one."""
    view = "" if address.view == "timeline" else address.view
    return Address({"list": address.get("list"), **({"view": view} if view else {})}).to()


def _step(run: RunOutline, address: Address) -> StepView | None:
    """Return the step that the address names; without one, beside the timeline, the step that failed."""
    asked = address.get("step")
    line: StepLine | None = None
    if asked:
        line = next((step for step in run.steps if str(step.id) == asked), None)
    elif address.view == "timeline":
        line = wording.failed_step(run)
    return queries.step(run.id, line.id) if line else None
