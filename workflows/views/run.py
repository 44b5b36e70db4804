"""One run: what it is, what went wrong and the way out, and the same facts in several views; and one step alone."""

import json
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from workflows import operations, queries
from workflows.queries import RunOutline, StepView
from workflows.views import inspector, live, run_page
from workflows.views.commands import COMMANDS
from workflows.views.guard import needs
from workflows.views.permissions import may
from workflows.views.run_address import Address
from workflows.views.run_tabs import RAW, READ_TRAIL, Told
from workflows.views.runs import is_fragment

LEFT = 200  # events that are shown of a run that is gone


@require_GET
@needs("workflows.view_run")
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show the page of a run; htmx gets the parts that a tab or a chosen step changes."""
    found = queries.outline(run_id)
    if found is None:
        return _gone(request, run_id)
    built = run_page.build(request, found)
    part = is_fragment(request)
    context = {"run": found, "fragments": built.fragments, **built.context}
    if not part:
        allowed = [command for command in COMMANDS.values() if may(request, command.permission)]
        context["commands"] = [(command, reverse(command.url_name, args=[run_id])) for command in allowed]
    response = render(request, "runs/_parts.html" if part else "runs/run.html", context)
    return live.varied(response)


@require_GET
@needs("workflows.view_run")
def run_live(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Answer the poller of a run."""
    return live.answer(request, queries.live_token(run_id), lambda: run_page.build(request, find(run_id)))


@require_GET
@needs("workflows.view_run")
def run_raw(_request: HttpRequest, run_id: UUID, part: str) -> HttpResponse:
    """Download one value of a run as JSON, masked as on the page."""
    if part not in RAW:
        raise Http404(f"A run has {', '.join(RAW)}.")
    values = queries.values_of(run_id)
    if values is None:
        raise Http404(operations.missing(run_id).message)
    return _download(getattr(values, part), f"{run_id}-{part}.json")


@require_GET
@needs("workflows.view_run")
def step(request: HttpRequest, run_id: UUID, step_id: UUID) -> HttpResponse:
    """Show one step on a page of its own; htmx gets it alone."""
    found, chosen, address = find(run_id), _step(run_id, step_id), Address.read(request.GET)
    context = inspector.build(found, chosen, address, alone=True)
    template = "runs/_inspector.html" if is_fragment(request) else "runs/step.html"
    return live.varied(render(request, template, context))


@require_GET
@needs("workflows.view_run")
def step_raw(request: HttpRequest, run_id: UUID, step_id: UUID, part: str) -> HttpResponse:
    """Download one value of a step, as one of its attempts had it, masked as on the page."""
    if part not in inspector.RAW:
        raise Http404(f"A step has {', '.join(inspector.RAW)}.")
    chosen = _step(run_id, step_id)
    attempt = inspector.chosen(chosen, Address.read(request.GET))
    number = f"-attempt-{attempt.number}" if attempt else ""
    return _download(inspector.part(chosen, attempt, part), f"{step_id}{number}-{part}.json")


def find(run_id: UUID) -> RunOutline:
    """Return the run, without its data. Raises Http404."""
    found = queries.outline(run_id)
    if found is None:
        raise Http404(operations.missing(run_id).message)
    return found


def _step(run_id: UUID, step_id: UUID) -> StepView:
    found = queries.step(run_id, step_id)
    if found is None:
        raise Http404(f"The run {run_id} has no step {step_id}.")
    return found


def _download(value: Any, name: str) -> HttpResponse:
    return HttpResponse(
        json.dumps(value, indent=2, ensure_ascii=False),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
    )


def _gone(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Say what became of a run that is not kept any more, with the trail that is left of it. Raises Http404."""
    why = operations.missing(run_id)
    if not isinstance(why, operations.GoneRun):
        raise Http404(why.message)
    allowed = may(request, READ_TRAIL)
    context = {"run_id": run_id, "gone": queries.gone(run_id), "may_audit": allowed}
    page = queries.events(run_id, limit=LEFT) if allowed else None
    context["story"] = [Told(event) for event in page.items] if page else []
    return render(request, "runs/gone.html", context, status=410)
