"""One run: what it is, what went wrong and the way out, and the same facts as timeline, data, logs and audit trail."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from workflows import operations, queries
from workflows.approvals import person_of
from workflows.queries import RunDetail
from workflows.views import live, timeline, wording
from workflows.views.commands import COMMANDS, Command
from workflows.views.guard import needs
from workflows.views.permissions import may
from workflows.views.rests import rests
from workflows.views.runs import is_fragment

TABS = {"timeline": "Timeline", "path": "Path", "io": "Input and output", "logs": "Logs", "audit": "Audit"}
FRAGMENTS = {"head": "runs/_head.html", "view": "runs/_view.html", "inspector": "runs/_inspector.html"}
RAW = ("input", "output", "context", "error")
FINISHED = ("succeeded", "cancelled")


@require_GET
@needs("workflows.view_run")
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Show the page of a run; htmx gets the parts that a tab or a chosen step changes."""
    found = queries.run(run_id)
    if found is None:
        return _gone(request, run_id)
    built = _build(request, found)
    part = is_fragment(request)
    context = {"run": found, "fragments": built.fragments, "tabs": _tabs(request), **built.context}
    context["commands"] = [(command, reverse(command.url_name, args=[run_id])) for command in _permitted(request)]
    response = render(request, "runs/_parts.html" if part else "runs/run.html", context)
    return live.varied(response)


@require_GET
@needs("workflows.view_run")
def run_live(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Answer the poller of a run."""
    return live.answer(request, queries.live_token(run_id), lambda: _build(request, find(run_id)))


@require_GET
@needs("workflows.view_run")
def run_raw(_request: HttpRequest, run_id: UUID, part: str) -> HttpResponse:
    """Download one value of a run as JSON, masked as on the page."""
    if part not in RAW:
        raise Http404(f"A run has {', '.join(RAW)}.")
    body = json.dumps(getattr(find(run_id), part), indent=2, ensure_ascii=False)
    return HttpResponse(
        body,
        content_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="{run_id}-{part}.json"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def find(run_id: UUID) -> RunDetail:
    """Return the run. Raises Http404."""
    found = queries.run(run_id)
    if found is None:
        raise Http404(operations.missing(run_id).message)
    return found


def _gone(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Say what became of a run that is not kept any more, with the trail that is left of it. Raises Http404."""
    why = operations.missing(run_id)
    if not isinstance(why, operations.GoneRun):
        raise Http404(why.message)
    allowed = may(request, "audit.view_auditevent")
    context = {"run_id": run_id, "why": why.message, "may_audit": allowed}
    context["events"] = queries.audit(run_id) if allowed else []
    return render(request, "runs/gone.html", context, status=410)


def _build(request: HttpRequest, found: RunDetail) -> live.Live:
    view = _view(request)
    step = _chosen(request, found)
    context = {
        "run": found,
        "view": view,
        "step": step,
        "explanation": wording.explain(found),
        "attempt": _attempt(request, step),
        "policy": wording.policy(step) if step else "",
        "deadline": wording.deadline(step) if step else "",
        "link": _links(request, view),
        "request_path": reverse("run", args=[found.id]),
        "raw": {part: reverse("run-raw", args=[found.id, part]) for part in RAW},
        "offered": _offered(request, found),
        "start_again": reverse(f"{found.kind}-start", args=[found.name]) + f"?from={found.id}",
        **_rests(request, found),
        **_contents(request, found, view),
        **_about(found, step),
    }
    query = {key: request.GET[key] for key in ("view", "step", "attempt", "fold") if request.GET.get(key)}
    address = "" if found.state in FINISHED else reverse("run-live", args=[found.id])
    rendered = live.fragments(request, FRAGMENTS, context)
    return live.Live(rendered, address, queries.live_token(found.id), live.RUN_SECONDS, query)


def _contents(request: HttpRequest, found: RunDetail, view: str) -> dict[str, Any]:
    if view == "timeline":
        fold = request.GET.get("fold") != "0"
        return {"timeline": timeline.build(found, timezone.now(), fold=fold), "fold": fold}
    if view == "path":
        return {"path": queries.path(found.id)}
    if view == "io":
        return {"messages": queries.messages(found.id)}
    if view == "audit" and may(request, "audit.view_auditevent"):
        return {"events": queries.audit(found.id), "may_audit": True}
    if view == "logs":
        return {"logs": [(step, each) for step in found.steps for each in step.attempts if each.log]}
    return {}


def _rests(request: HttpRequest, found: RunDetail) -> dict[str, Any]:
    """Return the questions and events that the run waits for; `told`: they say what its own sentence would say."""
    person = person_of(request.user) if may(request, "workflows.answer_approval") else None
    shown = rests(found, person)
    return {"rests": shown, "told": bool(shown) and found.reason in ("person", "event")}


def _permitted(request: HttpRequest) -> list[Command]:
    return [command for command in COMMANDS.values() if may(request, command.permission)]


def _offered(request: HttpRequest, found: RunDetail) -> list[Command]:
    """Return what the reader may do with the run as it is; the retry of an explained fault stands beside it."""
    allowed = [command for command in _permitted(request) if command.refusal(found) is None]
    explained = wording.explain(found) is not None
    return [command for command in allowed if not (explained and command.verb == "retry")]


def _about(found: RunDetail, step: Any) -> dict[str, Any]:
    """Return what belongs to the chosen step alone: messages, what it waits for, the runs that it started."""
    if step is None:
        return {}
    starts_runs = step.kind == "run" or step.function.startswith("map:")
    return {
        "received": queries.messages(found.id, step.id),
        "wanted": queries.wanted(step.id) if step.kind == "listen" else [],
        "children": queries.children(step.id, step.name) if starts_runs else None,
    }


def _view(request: HttpRequest) -> str:
    view = request.GET.get("view", "timeline")
    return view if view in TABS else "timeline"


def _tabs(request: HttpRequest) -> list[tuple[str, str, bool]]:
    chosen = _view(request)
    step = {"step": request.GET["step"]} if request.GET.get("step") else {}
    return [(title, f"?{urlencode({'view': name, **step})}", name == chosen) for name, title in TABS.items()]


def _chosen(request: HttpRequest, found: RunDetail) -> Any:
    """Return the step that the address names; without one, beside the timeline, the step that failed."""
    asked = request.GET.get("step")
    if asked == "none":
        return None
    if asked:
        return next((step for step in found.steps if str(step.id) == asked), None)
    if _view(request) != "timeline":
        return None
    return next((step for step in reversed(found.steps) if step.state == "failed" and not step.caught), None)


def _attempt(request: HttpRequest, step: Any) -> Any:
    """Return the attempt that the address names, or the last one."""
    if step is None or not step.attempts:
        return None
    asked = request.GET.get("attempt")
    return next((each for each in step.attempts if str(each.number) == asked), step.attempts[-1])


def _links(request: HttpRequest, view: str) -> dict[str, str]:
    """Return the beginnings of addresses that keep the view and the scale."""
    keep = {"view": view} if view != "timeline" else {}
    if request.GET.get("fold") == "0":
        keep["fold"] = "0"
    step = {"step": request.GET["step"]} if request.GET.get("step") else {}
    return {
        "step": f"?{urlencode({**keep, 'step': ''})}",
        "none": f"?{urlencode({**keep, 'step': 'none'})}",
        "fold": f"?{urlencode(step)}",
        "true": f"?{urlencode({**step, 'fold': '0'})}",
    }
