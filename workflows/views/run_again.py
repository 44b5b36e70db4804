"""Run a definition again on the version that is published now, with the input that a run had."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from dotdo_site.lib.ids import uuid7
from workflows import operations, queries
from workflows.operations import InputInvalid, OperationError
from workflows.queries import RunOutline
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor
from workflows.views.run import find
from workflows.views.run_commands import NO_REASON, posted_reason

READ = {"workflow": queries.workflow, "action": queries.action}


@require_http_methods(["GET", "POST"])
@needs("workflows.start_run")
def again(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Say which version it ran and which it will; POST starts the run, once however often the form is sent."""
    run = find(run_id)
    if request.method == "GET":
        return _show(request, run)
    reason = posted_reason(request)
    if not reason:
        return _show(request, run, error=NO_REASON)
    try:
        started = operations.run_again(run_id, actor=actor(request), reason=reason, key=_token(request))
    except InputInvalid as refused:
        return _show(request, run, problems=list(map(str, refused.problems)))
    except OperationError as refused:
        return _show(request, run, problems=[refused.message], unfit=False)
    if started.created:
        messages.success(request, _("This run repeats %(run)s.") % {"run": run.title or run.key or run.name})
    else:
        messages.warning(request, _("The form was sent before: here is the run that it started."))
    return see_other(reverse("run", args=[started.run_id]))


def _token(request: HttpRequest) -> str:
    try:
        return str(UUID(request.POST.get("token", "")))
    except ValueError:
        return str(uuid7())


def _show(
    request: HttpRequest, run: RunOutline, *, problems: list[str] | None = None, unfit: bool = True, error: object = ""
) -> HttpResponse:
    definition = READ[run.kind](run.name)
    published = definition is not None and definition.state == "published"
    refusal: Any = run.can_again
    if not published:
        refusal = _("No version of %(name)s is published now.") % {"name": run.name}
    values = queries.values_of(run.id)
    context = {
        "run": run,
        "input": values.input if values else None,
        "definition": definition,
        "refusal": refusal,
        "problems": problems,
        "unfit": bool(problems) and unfit,
        "error": error,
        "token": _token(request),
        "reason": request.POST.get("reason", ""),
        "edit": f"{reverse(f'{run.kind}-start', args=[run.name])}?from={run.id}",
        "back": reverse("run", args=[run.id]),
    }
    return render(request, "runs/again.html", context, status=422 if problems or error else 200)
