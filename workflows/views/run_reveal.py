"""Show what is masked in a run: in the answer to one form only, after it is on record who asked and why."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from workflows import operations, queries
from workflows.operations import UnknownRun
from workflows.views.guard import needs
from workflows.views.permissions import actor
from workflows.views.run import find
from workflows.views.run_commands import NO_REASON, posted_reason

STEPS = 200


@require_http_methods(["GET", "POST"])
@needs("workflows.view_payload")
def reveal(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Ask for the reason; POST answers with the values. No address shows them, so no history keeps them."""
    run, reason = find(run_id), posted_reason(request)
    if request.method == "GET" or not reason:
        error = NO_REASON if request.method == "POST" else ""
        back = reverse("run", args=[run_id])
        context: dict[str, Any] = {"run": run, "error": error, "back": back, "action": request.path}
        return render(request, "runs/reveal.html", context, status=422 if error else 200)
    try:
        operations.reveal(run_id, actor=actor(request), reason=reason)
    except UnknownRun as unknown:
        raise Http404(unknown.message) from unknown
    shown = queries.revealed(run_id, limit=STEPS)
    if shown is None:
        raise Http404(operations.missing(run_id).message)
    context = {"run": shown, "steps": shown.steps, "left": max(0, shown.steps_total - STEPS)}
    return render(request, "runs/revealed.html", {**context, "back": reverse("run", args=[run_id])})
