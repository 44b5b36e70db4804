"""Approvals: the list of what waits for the reader, and the form of one, made from its schema."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from actions.problems import Problem
from dotdo_site.lib.paging import BadCursor
from workflows import approvals, forms, operations, queries
from workflows.approvals import DECISIONS, person_of
from workflows.operations import AnswerInvalid, OperationError
from workflows.queries import ApprovalRow, Page
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor, may
from workflows.views.run_commands import LONGEST_REASON

PAGE_SIZE = 50


@dataclass
class Draft:
    """What the reader has typed so far, and what is to be said about it."""

    value: Any = forms.MISSING
    problems: list[Problem] = field(default_factory=list)
    refusal: str = ""


@require_GET
@needs("workflows.answer_approval")
def approval_list(request: HttpRequest) -> HttpResponse:
    """List what waits for the reader, the longest first."""
    page = _page(request)
    context = {
        "page": page,
        "newer": f"after={page.next}" if page.next else "",
        "older": f"before={page.previous}" if page.previous else "",
    }
    return render(request, "approvals/list.html", context)


@require_http_methods(["GET", "POST"])
@needs("workflows.answer_approval")
def approval(request: HttpRequest, run_id: UUID, step_id: UUID) -> HttpResponse:
    """Show what is asked, with the form; POST adds or removes items of its lists, or answers."""
    found = queries.approval(run_id, step_id)
    if found is None:
        raise Http404(f"There is no approval {step_id}.")
    if request.method == "GET":
        return _show(request, found, Draft())
    posted = forms.parse(found.form, request.POST)
    draft = Draft(posted.value, posted.problems)
    decision = request.POST.get("do", "")
    if decision not in DECISIONS:
        draft.value, draft.problems = forms.commanded(posted.value, decision), []
        return _show(request, found, draft)
    return _answer(request, found, draft, decision)


def _answer(request: HttpRequest, found: ApprovalRow, draft: Draft, decision: str) -> HttpResponse:
    reason = request.POST.get("reason", "").replace("\x00", "").strip()
    if len(reason) > LONGEST_REASON:
        draft.problems.append(Problem("", "maxLength", f"the note has more than {LONGEST_REASON} characters"))
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
    messages.success(request, f"{found.title}: {decision}.")
    return see_other(reverse("approvals"))


def _filled(found: ApprovalRow, value: Any) -> bool:
    """Tell whether more was posted than the form posts untouched."""
    return bool(value != forms.parse(found.form, {}).value)


def _page(request: HttpRequest) -> Page[ApprovalRow]:
    before = request.GET.get("before") or None
    after = None if before else request.GET.get("after") or None
    person = person_of(request.user)
    try:
        return queries.open_approvals(person, after=after, before=before, limit=PAGE_SIZE)
    except BadCursor:
        return queries.open_approvals(person, limit=PAGE_SIZE)


def _show(request: HttpRequest, found: ApprovalRow, draft: Draft) -> HttpResponse:
    root = forms.build(found.form, draft.value, draft.problems)
    mine = approvals.may_answer(found.asked, person_of(request.user))
    answered = queries.answered_by(found.step)
    run = queries.run(found.run) if may(request, "workflows.view_run") else None
    context = {
        "approval": found,
        "input": run.input if run else None,
        "root": root,
        "problems": forms.loose_problems(root, draft.problems),
        "count": len(draft.problems),
        "refusal": draft.refusal,
        "mine": mine,
        "answered": answered,
        "over": bool(answered) or found.state not in ("ready", "running", "waiting", "held"),
        "reason": request.POST.get("reason", ""),
    }
    wrong = bool(draft.problems or draft.refusal)
    return render(request, "approvals/approval.html", context, status=422 if wrong else 200)
