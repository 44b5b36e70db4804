"""Approvals: what waits for the reader, what was answered, and the form of one, made from its schema."""

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from actions.problems import Problem
from dotdo_site.lib import strict_json
from workflows import approvals, forms, operations, queries
from workflows.approvals import DECISIONS, person_of
from workflows.operations import AnswerInvalid, OperationError
from workflows.queries import AnsweredRow, ApprovalRow, Looked, Page
from workflows.templatetags.json_view import as_json
from workflows.views import listing, live
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.listing import Asked, Criterion
from workflows.views.permissions import actor, may
from workflows.views.run_commands import LONGEST_REASON

NOTHING: Page[ApprovalRow] = Page([], None, None)
NO_ANSWER: Looked[AnsweredRow] = Looked([], None, None)
LIST = {"approvals": "approvals/_list.html"}
CRITERIA = {"by": Criterion(gettext_lazy("answered by"))}


@dataclass
class Draft:
    """What the reader has typed so far, in the form or as JSON, and what is to be said about it."""

    value: Any = forms.MISSING
    tab: str = "form"
    text: str = ""
    problems: list[Problem] = field(default_factory=list)
    refusal: str = ""


@require_GET
@needs("workflows.answer_approval")
def approval_list(request: HttpRequest) -> HttpResponse:
    """List what waits for the reader, the longest first."""
    context = _waiting(request)
    told = _live(request, context) if not context["problems"] else None
    context |= told.context if told else {"poll_url": ""}
    return live.varied(render(request, "approvals/list.html", context, status=400 if context["problems"] else 200))


@require_GET
@needs("workflows.answer_approval")
def approvals_live(request: HttpRequest) -> HttpResponse:
    """Answer the poller of the list: it changes when something is asked or answered."""
    context = _waiting(request)
    return live.answer(request, _token(context), lambda: _live(request, context))


@require_GET
@needs("workflows.answer_approval")
def answered(request: HttpRequest) -> HttpResponse:
    """List what was answered, the newest first; without the right to see runs, only what the reader has answered."""
    asked = Asked.of(request.GET, CRITERIA)
    everybody = may(request, "workflows.view_run")
    by = asked.read.get("by", "") if everybody else request.user.get_username()

    def read(**where: Any) -> Looked[AnsweredRow]:
        return queries.answered_approvals(by, **where)

    context = listing.page(request, asked, read, NO_ANSWER) | {"everybody": everybody}
    return render(request, "approvals/answered.html", context, status=400 if context["problems"] else 200)


@require_http_methods(["GET", "POST"])
@needs("workflows.answer_approval")
def approval(request: HttpRequest, run_id: UUID, step_id: UUID) -> HttpResponse:
    """Show what is asked, with the form; POST adds or removes items of its lists, or answers."""
    found = queries.approval(run_id, step_id)
    if found is None:
        raise Http404(f"There is no approval {step_id}.")
    if request.method == "GET":
        return _show(request, found, Draft())
    draft, decision = _posted(request, found), request.POST.get("do", "")
    if decision not in DECISIONS:
        return _show(request, found, _commanded(draft, decision))
    return _answer(request, found, draft, decision)


def _posted(request: HttpRequest, found: ApprovalRow) -> Draft:
    if request.POST.get("tab") != "json":
        posted = forms.parse(found.form, request.POST)
        return Draft(posted.value, problems=posted.problems)
    draft = Draft({}, "json", request.POST.get("json", ""))
    try:
        draft.value = strict_json.loads(draft.text.encode("utf-8", "surrogatepass"))
    except strict_json.BadJSON as error:
        draft.problems = [Problem("", "json", error.message)]
    return draft


def _commanded(draft: Draft, command: str) -> Draft:
    """Do what a button asked for: show the answer as JSON or as a form, add or remove an item."""
    verb, _colon, where = command.partition(":")
    if verb == "tab" and any(problem.rule == "json" for problem in draft.problems):
        return draft
    if verb == "tab":
        draft.tab, draft.text = where, as_json({} if draft.value is forms.MISSING else draft.value)
    else:
        draft.value = forms.commanded(draft.value, command)
    draft.problems = []
    return draft


def _answer(request: HttpRequest, found: ApprovalRow, draft: Draft, decision: str) -> HttpResponse:
    reason = request.POST.get("reason", "").replace("\x00", "").strip()
    if len(reason) > LONGEST_REASON:
        draft.problems.append(Problem("", "maxLength", _("the note has more than %d characters") % LONGEST_REASON))
    if draft.problems and decision == "approved":
        return _show(request, found, draft)
    data = draft.value if decision == "approved" or _filled(found, draft.value) else None
    try:
        operations.answer_approval(
            found.run,
            found.key,
            decision,
            data,
            person=person_of(request.user),
            actor=actor(request),
            reason=reason,
        )
    except AnswerInvalid as refused:
        draft.problems = refused.problems
        return _show(request, found, draft)
    except OperationError as refused:
        draft.refusal = refused.message
        return _show(request, found, draft)
    said = _("approved") if decision == "approved" else _("rejected")
    messages.success(request, _("%(title)s: %(said)s. Its run goes on.") % {"title": found.title, "said": said})
    return see_other(reverse("approvals"))


def _filled(found: ApprovalRow, value: Any) -> bool:
    """Tell whether more was posted than the form posts untouched."""
    return bool(value != forms.parse(found.form, {}).value)


def _waiting(request: HttpRequest) -> dict[str, Any]:
    """Return the page of approvals that wait for the reader."""
    person = person_of(request.user)

    def read(**where: Any) -> Page[ApprovalRow]:
        return queries.open_approvals(person, **where)

    return listing.page(request, Asked.of(request.GET, {}), read, NOTHING)


def _live(request: HttpRequest, context: dict[str, Any]) -> live.Live:
    kept = {name: request.GET[name] for name in ("after", "before") if name in request.GET}
    shown = live.fragments(request, LIST, context)
    return live.Live(shown, reverse("approvals-live"), _token(context), live.LIST_SECONDS, kept)


def _token(context: dict[str, Any]) -> str:
    """Return a text that changes when other approvals are in the list."""
    rows = [f"{row.step}{row.state}" for row in context["page"].items]
    return hashlib.sha256("".join(rows).encode()).hexdigest()[:16]


def _show(request: HttpRequest, found: ApprovalRow, draft: Draft) -> HttpResponse:
    root = forms.build(found.form, draft.value, draft.problems)
    mine = approvals.may_answer(found.asked, person_of(request.user))
    by = queries.answered_by(found.step)
    values = queries.values_of(found.run) if may(request, "workflows.view_run") else None
    context = {
        "approval": found,
        "input": values.input if values else None,
        "tab": draft.tab,
        "text": draft.text,
        "root": root,
        "problems": forms.loose_problems(root, draft.problems),
        "count": len(draft.problems),
        "refusal": draft.refusal,
        "mine": mine,
        "answered": by,
        "over": bool(by) or found.state not in ("ready", "running", "waiting", "held"),
        "reason": request.POST.get("reason", ""),
    }
    wrong = bool(draft.problems or draft.refusal)
    return render(request, "approvals/approval.html", context, status=422 if wrong else 200)
