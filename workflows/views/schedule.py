"""Pause and resume the schedule of a workflow, each with a reason."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from workflows import operations, queries, rules
from workflows.operations import NotAllowed
from workflows.queries import ScheduleDetail
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor
from workflows.views.run_commands import NO_REASON, posted_reason

FORMS = {
    "schedule-pause": {
        "title": "Pause this schedule?",
        "explanation": "Nothing is started by it until somebody resumes it. Runs that are under way go on.",
        "button": "Pause the schedule",
        "css": "",
    },
    "schedule-resume": {
        "title": "Resume this schedule?",
        "explanation": "It goes on with the next moment from now. What passed while it was paused is left out.",
        "button": "Resume the schedule",
        "css": "primary",
    },
}


@require_http_methods(["GET", "POST"])
@needs("workflows.change_schedule")
def pause(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for the reason, then pause the schedule."""
    found = _find(name)
    refusal = rules.pause_refusal(found.state)
    return _answer(request, found, "schedule-pause", refusal, operations.pause_schedule, "The schedule is paused.")


@require_http_methods(["GET", "POST"])
@needs("workflows.change_schedule")
def resume(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for the reason, then resume the schedule."""
    found = _find(name)
    refusal = rules.resume_schedule_refusal(found.state)
    return _answer(request, found, "schedule-resume", refusal, operations.resume_schedule, "The schedule goes on.")


def _answer(
    request: HttpRequest,
    found: ScheduleDetail,
    form: str,
    refusal: str | None,
    operation: Callable[..., None],
    done: str,
) -> HttpResponse:
    if request.method == "GET":
        return _show(request, found, form, refusal)
    reason = posted_reason(request)
    if not reason:
        return _show(request, found, form, refusal, error=NO_REASON)
    try:
        operation(found.workflow, actor=actor(request), reason=reason)
    except NotAllowed as refused:
        messages.error(request, f"Nothing was done: {refused.message}")
    else:
        messages.success(request, done)
    return see_other(reverse("workflow", args=[found.workflow]))


def _show(
    request: HttpRequest, found: ScheduleDetail, form: str, refusal: str | None, *, error: str = ""
) -> HttpResponse:
    context = {
        **FORMS[form],
        "schedule": found,
        "refusal": refusal,
        "error": error,
        "reason": request.POST.get("reason", ""),
        "action": reverse(form, args=[found.workflow]),
        "back": reverse("workflow", args=[found.workflow]),
    }
    return render(request, "definitions/schedule.html", context, status=422 if error else 200)


def _find(name: str) -> ScheduleDetail:
    found = queries.schedule(name)
    if found is None:
        raise Http404(f"There is no workflow {name} with a schedule.")
    return found
