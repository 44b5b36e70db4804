"""Pause and resume the schedule of a workflow, or start a run as it would, each with a reason."""

from collections.abc import Callable
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from workflows import operations, queries, rules
from workflows.operations import OperationError
from workflows.queries import ScheduleDetail
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor
from workflows.views.run_commands import NO_REASON, posted_reason

FORMS = {
    "schedule-pause": {
        "title": gettext_lazy("Pause this schedule?"),
        "explanation": gettext_lazy(
            "Nothing is started by it until somebody resumes it. Runs that are under way go on."
        ),
        "button": gettext_lazy("Pause the schedule"),
        "css": "",
    },
    "schedule-resume": {
        "title": gettext_lazy("Resume this schedule?"),
        "explanation": gettext_lazy(
            "It goes on with the next moment from now. What passed while it was paused is left out."
        ),
        "button": gettext_lazy("Resume the schedule"),
        "css": "primary",
    },
    "schedule-run": {
        "title": gettext_lazy("Start a run now?"),
        "explanation": gettext_lazy(
            "It starts as the schedule would start it, beside its moments: those come as before, and a pause stays."
        ),
        "button": gettext_lazy("Start a run"),
        "css": "primary",
    },
}
LIST = "schedules"  # where a form leads back to, when it was opened from the list


@require_http_methods(["GET", "POST"])
@needs("workflows.change_schedule")
def pause(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for the reason, then pause the schedule."""
    found = _find(name)
    refusal = rules.pause_refusal(found.state)
    return _answer(request, found, "schedule-pause", refusal, operations.pause_schedule, _("The schedule is paused."))


@require_http_methods(["GET", "POST"])
@needs("workflows.change_schedule")
def resume(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for the reason, then resume the schedule."""
    found = _find(name)
    refusal = rules.resume_schedule_refusal(found.state)
    return _answer(request, found, "schedule-resume", refusal, operations.resume_schedule, _("The schedule goes on."))


@require_http_methods(["GET", "POST"])
@needs("workflows.start_run")
def run_now(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for the reason, then start a run as the schedule would."""
    found = _find(name)
    if request.method == "GET":
        return _show(request, found, "schedule-run", found.can_run)
    reason, token = posted_reason(request), _token(request.POST.get("token", ""))
    if not reason or token is None:
        problem = NO_REASON if token else _("The form was not complete: send it again.")
        return _show(request, found, "schedule-run", found.can_run, error=problem)
    try:
        started = operations.run_schedule_now(name, token=token, actor=actor(request), reason=reason)
    except OperationError as refused:
        problems = "; ".join(map(str, getattr(refused, "problems", [])))
        messages.error(request, _("Nothing was started: %s") % f"{refused.message} {problems}".strip())
        return see_other(_back(request, found))
    if not started.created:
        messages.warning(request, _("This was sent before: nothing was started twice."))
    return see_other(reverse("run", args=[started.run_id]))


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
    except OperationError as refused:
        messages.error(request, _("Nothing was done: %s") % refused.message)
    else:
        messages.success(request, done)
    return see_other(_back(request, found))


def _show(
    request: HttpRequest, found: ScheduleDetail, form: str, refusal: str | None, *, error: str = ""
) -> HttpResponse:
    context = {
        **FORMS[form],
        "schedule": found,
        "refusal": refusal,
        "error": error,
        "reason": request.POST.get("reason", ""),
        "token": _token(request.POST.get("token", "")) or uuid4(),
        "back": _back(request, found),
    }
    return render(request, "schedules/command.html", context, status=422 if error else 200)


def _back(request: HttpRequest, found: ScheduleDetail) -> str:
    return reverse("schedules") if request.GET.get("back") == LIST else reverse("workflow", args=[found.workflow])


def _token(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _find(name: str) -> ScheduleDetail:
    found = queries.schedule(name)
    if found is None:
        raise Http404(_("There is no workflow %s with a schedule.") % name)
    return found
