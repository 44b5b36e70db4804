"""Retry a failed call with another input: a form from the action's schema, or JSON; what changes is shown first."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from actions.problems import Problem
from dotdo_site.lib import strict_json
from workflows import forms, operations
from workflows.operations import AnswerInvalid, Checked, NotAllowed, OperationError, UnknownRun, UnknownStep
from workflows.queries import StepView
from workflows.templatetags.json_view import as_json
from workflows.views import diffs
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor, may
from workflows.views.run import find
from workflows.views.run_commands import NO_REASON, posted_reason, tell, tell_refusal
from workflows.views.step_commands import find_step

CARRIES = gettext_lazy(
    "What you changed could send a hidden value to another receiver: that needs the permission “Can see sensitive "
    "fields” (workflows.view_payload). Type the hidden values anew, or change nothing else."
)


@dataclass
class Draft:
    """What the reader has made of the input so far, as it is shown, and what is to be said about it."""

    value: Any
    tab: str = "form"
    text: str = ""
    problems: list[Problem] = field(default_factory=list)
    error: object = ""
    unconfirmed: bool = False
    checked: Checked | None = None


@require_http_methods(["GET", "POST"])
@needs("workflows.retry_run")
def edit(request: HttpRequest, run_id: UUID, step_id: UUID) -> HttpResponse:
    """Show the input that the step had; POST checks, edits the lists of the form, or retries."""
    step = find_step(run_id, step_id)
    try:
        return _edit(request, run_id, step)
    except NotAllowed as refused:
        return _show(request, run_id, step, {"refusal": refused.message})
    except (UnknownRun, UnknownStep) as unknown:  # gone meanwhile, or a first call that has not been recorded yet
        raise Http404(unknown.message) from unknown


def _edit(request: HttpRequest, run_id: UUID, step: StepView) -> HttpResponse:
    had = operations.check_edit(run_id, step.key)
    if request.method == "GET":
        return _form(request, run_id, step, had, Draft(had.before))
    draft = _posted(request, had)
    command = request.POST.get("do", "retry")
    if command == "retry" and not draft.problems:
        return _retry(request, run_id, step, had, draft)
    _obey(draft, command, run_id, step)
    return _form(request, run_id, step, had, draft)


def _posted(request: HttpRequest, had: Checked) -> Draft:
    draft = Draft(had.before, tab=request.POST.get("tab", "form"))
    if draft.tab == "json":
        draft.text = request.POST.get("json", "")
        try:
            draft.value = strict_json.loads(draft.text.encode("utf-8", "surrogatepass"))
        except strict_json.BadJSON as error:
            draft.problems.append(Problem("", "json", error.message))
    else:
        posted = forms.parse(had.schema, request.POST)
        draft.value, draft.problems = posted.value, posted.problems
    return draft


def _obey(draft: Draft, command: str, run_id: UUID, step: StepView) -> None:
    """Do what a button asked for: switch the tab, add or remove an item, check."""
    verb, _sep, where = command.partition(":")
    if verb == "tab" and not any(problem.rule == "json" for problem in draft.problems):
        draft.tab, draft.text, draft.problems = where, as_json(draft.value), []
    elif verb in {"add", "remove"}:
        draft.value, draft.problems = forms.commanded(draft.value, command), []
    elif verb == "check" and not draft.problems:
        _check(draft, run_id, step)


def _check(draft: Draft, run_id: UUID, step: StepView) -> Checked:
    draft.checked = operations.check_edit(run_id, step.key, draft.value)
    draft.problems = draft.checked.problems
    return draft.checked


def _retry(request: HttpRequest, run_id: UUID, step: StepView, had: Checked, draft: Draft) -> HttpResponse:
    reason, confirmed = posted_reason(request), request.POST.get("confirm") == "yes"
    checked = _check(draft, run_id, step)
    draft.error = "" if reason else NO_REASON
    if checked.carries and not may(request, "workflows.view_payload"):
        draft.error = CARRIES
    draft.unconfirmed = had.unsure and not confirmed and checked.changed
    if draft.problems or draft.error or draft.unconfirmed:
        return _form(request, run_id, step, had, draft)
    by = {"actor": actor(request), "reason": reason}
    try:
        operations.retry(run_id, edits={step.key: draft.value}, confirmed=confirmed, **by)
    except AnswerInvalid as refused:
        draft.problems = refused.problems
        return _form(request, run_id, step, had, draft)
    except OperationError as refused:
        tell_refusal(request, refused)
    else:
        tell(request, run_id, _("Retried with the edited input"))
    return see_other(f"{reverse('run', args=[run_id])}?step={step.id}")


def _form(request: HttpRequest, run_id: UUID, step: StepView, had: Checked, draft: Draft) -> HttpResponse:
    root = forms.build(had.schema, draft.value, draft.problems)
    only_json = root.widget == "json"
    tab = "json" if only_json else draft.tab
    checked = draft.checked if draft.checked and not draft.problems else None
    context = {
        "root": root,
        "tab": tab,
        "only_json": only_json,
        "text": draft.text or as_json(draft.value),
        "problems": draft.problems if tab == "json" else forms.loose_problems(root, draft.problems),
        "count": len(draft.problems),
        "error": draft.error,
        "unconfirmed": draft.unconfirmed,
        "unsure": had.unsure,
        "checked": checked is not None,
        "lines": diffs.lines(checked.before, checked.after) if checked else None,
        "same": checked is not None and not checked.changed,
        "confirm": request.POST.get("confirm") == "yes",
        "before": had.before,
    }
    wrong = draft.problems or draft.error or draft.unconfirmed
    return _show(request, run_id, step, context, status=422 if wrong else 200)


def _show(
    request: HttpRequest, run_id: UUID, step: StepView, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    facts = {
        "run": find(run_id),
        "step": step,
        "reason": request.POST.get("reason", ""),
        "back": f"{reverse('run', args=[run_id])}?step={step.id}",
    }
    return render(request, "runs/edit.html", {**facts, **context}, status=status)
