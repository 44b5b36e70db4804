"""What people do to a run, each with a reason. Afterwards the page says what became of it, not what was asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from workflows import operations
from workflows.operations import NotAllowed, UnknownRun
from workflows.queries import RunDetail
from workflows.templatetags.display import word
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor
from workflows.views.run import find

RESULT_SECONDS = 2.0
LONGEST_REASON = 1_000


@dataclass(frozen=True)
class Command:
    """A verb with what its form says."""

    title: str
    explanation: str
    button: str
    css: str
    url_name: str


RETRY = Command(
    "Retry this run?",
    "It goes on from the step that failed, with the input it had. What is done is not repeated.",
    "Retry",
    "primary",
    "run-retry",
)
CANCEL = Command(
    "Cancel this run?",
    "Nothing more is begun. What is done stays done; a step that is running ends without effect on the run.",
    "Cancel the run",
    "danger",
    "run-cancel",
)


@require_http_methods(["GET", "POST"])
@needs("workflows.retry_run")
def retry(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Ask for the reason, then retry and wait a moment for the result."""
    return _command(request, run_id, RETRY, operations.retry, lambda run: run.can_retry)


@require_http_methods(["GET", "POST"])
@needs("workflows.cancel_run")
def cancel(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Ask for the reason, then cancel."""
    return _command(request, run_id, CANCEL, operations.cancel, lambda run: run.can_cancel)


def _command(
    request: HttpRequest,
    run_id: UUID,
    command: Command,
    operation: Callable[..., None],
    refusal: Callable[[RunDetail], str | None],
) -> HttpResponse:
    if request.method == "GET":
        return _form(request, find(run_id), command, refusal)
    reason = request.POST.get("reason", "").replace("\x00", "").strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        error = f"Say why, in up to {LONGEST_REASON} characters: the reason is kept in the audit trail."
        return _form(request, find(run_id), command, refusal, error=error, status=422)
    try:
        operation(run_id, actor=actor(request), reason=reason)
    except UnknownRun as unknown:
        raise Http404(unknown.message) from unknown
    except NotAllowed as refused:
        messages.error(request, f"Nothing was done: {refused.message}")
    else:
        operations.wait_for(run_id, RESULT_SECONDS)
        _tell(request, find(run_id), command)
    return see_other(reverse("run", args=[run_id]))


def _form(
    request: HttpRequest,
    run: RunDetail,
    command: Command,
    refusal: Callable[[RunDetail], str | None],
    *,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "run": run,
        "command": command,
        "refusal": refusal(run),
        "error": error,
        "action": reverse(command.url_name, args=[run.id]),
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "runs/command.html", context, status=status)


def _tell(request: HttpRequest, run: RunDetail, command: Command) -> None:
    """Say what became of it: a retry that failed again is a failure."""
    if command is CANCEL:
        messages.success(request, "The run is cancelled.")
    elif run.state == "succeeded":
        messages.success(request, "Retried, and it succeeded.")
    elif run.state == "failed":
        messages.error(request, f"Retried, and it failed again: {run.now}")
    else:
        messages.info(request, f"Retried; it is going on ({word(run.label).lower()}): {run.now}")
