"""What people do to one step: pass it over with an output given by hand, or end its wait early."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from dotdo_site.lib import strict_json
from workflows import operations, queries
from workflows.operations import AnswerInvalid, OperationError
from workflows.queries import StepView
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor
from workflows.views.run import find
from workflows.views.run_commands import NO_REASON, posted_reason, tell_refusal


@require_http_methods(["GET", "POST"])
@needs("workflows.skip_step")
def skip(request: HttpRequest, run_id: UUID, step_id: UUID) -> HttpResponse:
    """Ask for the output and the reason, then pass the step over."""
    step = find_step(run_id, step_id)
    context = {"refusal": step.can_skip, "text": request.POST.get("output", "null")}
    if request.method == "GET":
        return _show(request, run_id, step, "runs/skip.html", context)
    try:
        output = strict_json.loads(context["text"].encode("utf-8", "surrogatepass"))  # type: ignore[union-attr]
    except strict_json.BadJSON as error:
        return _show(request, run_id, step, "runs/skip.html", context | {"problems": [error.message]})
    return _do(request, run_id, step, "runs/skip.html", context, operations.skip, output)


@require_http_methods(["GET", "POST"])
@needs("workflows.fire_timer")
def fire(request: HttpRequest, run_id: UUID, step_id: UUID) -> HttpResponse:
    """Ask for the reason, then let the step be due now."""
    step = find_step(run_id, step_id)
    context: dict[str, Any] = {"refusal": step.can_fire}
    if request.method == "GET":
        return _show(request, run_id, step, "runs/fire.html", context)
    return _do(request, run_id, step, "runs/fire.html", context, operations.fire_timer)


def _do(
    request: HttpRequest,
    run_id: UUID,
    step: StepView,
    template: str,
    context: dict[str, Any],
    operation: Any,
    *given: Any,
) -> HttpResponse:
    reason = posted_reason(request)
    if not reason:
        return _show(request, run_id, step, template, context | {"error": NO_REASON})
    try:
        operation(run_id, step.key, *given, actor=actor(request), reason=reason)
    except AnswerInvalid as refused:
        return _show(request, run_id, step, template, context | {"problems": list(map(str, refused.problems))})
    except OperationError as refused:
        tell_refusal(request, refused)
    else:
        messages.success(request, _("%(step)s: done. A worker goes on with it.") % {"step": step.name})
    return see_other(f"{reverse('run', args=[run_id])}?step={step.id}")


def find_step(run_id: UUID, step_id: UUID) -> StepView:
    """Return the step. Raises Http404."""
    step = queries.step(run_id, step_id)
    if step is None:
        raise Http404(f"The run {run_id} has no step {step_id}.")
    return step


def _show(request: HttpRequest, run_id: UUID, step: StepView, template: str, context: dict[str, Any]) -> HttpResponse:
    wrong = bool(context.get("problems") or context.get("error"))
    facts = {
        "run": find(run_id),
        "step": step,
        "reason": request.POST.get("reason", ""),
        "back": f"{reverse('run', args=[run_id])}?step={step.id}",
    }
    return render(request, template, {**facts, **context}, status=422 if wrong else 200)
