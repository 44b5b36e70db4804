"""What people do to a run, each with a reason. Afterwards the page says what became of it, not what was asked for."""

from collections.abc import Callable
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from workflows import operations, queries
from workflows.operations import NotAllowed, OperationError, UnknownRun
from workflows.queries import RunOutline
from workflows.templatetags.display import word
from workflows.views.answers import see_other
from workflows.views.commands import COMMANDS, Command
from workflows.views.guard import needs
from workflows.views.permissions import actor, may
from workflows.views.run import find

RESULT_SECONDS = 2.0
LONGEST_REASON = 1_000
NO_REASON = cast(
    "str", gettext_lazy("Say why, in up to 1,000 characters: the reason is kept in the audit trail.")
)  # translated where it is shown


def view(verb: str) -> Callable[..., HttpResponseBase]:
    """Return the view of a verb: GET asks for the reason, POST does it and leads back to the run."""
    command = COMMANDS[verb]

    @require_http_methods(["GET", "POST"])
    @needs(command.permission)
    def answer(request: HttpRequest, run_id: UUID) -> HttpResponse:
        if request.method == "GET":
            return _form(request, find(run_id), command)
        reason = posted_reason(request)
        if not reason:
            return _form(request, find(run_id), command, error=NO_REASON)
        return _do(request, run_id, command, reason)

    return answer


def posted_reason(request: HttpRequest) -> str:
    """Return the reason that was posted, empty when it is missing or too long."""
    reason = request.POST.get("reason", "").replace("\x00", "").strip()
    return reason if len(reason) <= LONGEST_REASON else ""


def _do(request: HttpRequest, run_id: UUID, command: Command, reason: str) -> HttpResponse:
    try:
        command.operation(run_id, actor=actor(request), reason=reason)
    except UnknownRun as unknown:
        raise Http404(unknown.message) from unknown
    except NotAllowed as refused:
        tell_refusal(request, refused)
    else:
        if command.ends:
            messages.success(request, str(command.done))
            return see_other(reverse("runs"))
        if command.watched:
            tell(request, run_id, str(command.done))
        else:
            messages.success(request, str(command.done))
    return see_other(reverse("run", args=[run_id]))


def _form(request: HttpRequest, run: RunOutline, command: Command, *, error: object = "") -> HttpResponse:
    context = {
        "run": run,
        "command": command,
        "refusal": command.refusal(run),
        "undos": queries.undos(run.id) if command.verb == "undo" and may(request, command.permission) else [],
        "error": error,
        "action": reverse(command.url_name, args=[run.id]),
        "reason": request.POST.get("reason", ""),
        "back": reverse("run", args=[run.id]),
    }
    return render(request, "runs/command.html", context, status=422 if error else 200)


def tell_refusal(request: HttpRequest, refused: OperationError) -> None:
    """Say that nothing was done, and why."""
    messages.error(request, _("Nothing was done: %(why)s") % {"why": refused.message})


def tell(request: HttpRequest, run_id: UUID, done: str) -> None:
    """Wait a moment and say what became of it: a retry that failed again is a failure."""
    operations.wait_for(run_id, RESULT_SECONDS)
    run = find(run_id)
    facts = {"done": done, "now": run.now, "label": word(run.label).lower()}
    if run.state == "succeeded":
        messages.success(request, _("%(done)s, and it succeeded.") % facts)
    elif run.label == "undone":
        messages.success(request, _("Everything that the run had done is undone."))
    elif run.state == "failed":
        messages.error(request, _("%(done)s, and it failed again: %(now)s") % facts)
    else:
        messages.info(request, _("%(done)s; it is going on (%(label)s): %(now)s") % facts)
