"""The audit log: search it, verify it, export it."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from audit.exporting import TooMuch, Wanted, export
from audit.models import PERSON
from audit.recording import KINDS
from workflows import operations, queries, verifying
from workflows.operations import NotAllowed
from workflows.queries import AuditFilter, AuditRow, Looked
from workflows.views import listing, live
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.listing import Asked, Criterion
from workflows.views.permissions import actor, may
from workflows.views.run_commands import NO_REASON, posted_reason

MOST_HEADS = 2_000_000  # that one answer reads to prove some chains; a request is not the place for more
CRITERIA = {
    "kind": Criterion(gettext_lazy("kind"), choices={kind: kind for kind in sorted(KINDS)}),
    "actor": Criterion(
        gettext_lazy("actor"), read=lambda name: name if ":" in name or name == "system" else f"{PERSON}{name}"
    ),
    "run": Criterion(gettext_lazy("run"), read=listing.identity),
    "chain": Criterion(gettext_lazy("chain"), read=listing.identity),
    "definition": Criterion(gettext_lazy("workflow or action")),
    "reason": Criterion(gettext_lazy("reason")),
    "since": Criterion(gettext_lazy("happened"), choices=listing.WINDOWS),
    "from": Criterion(gettext_lazy("from"), read=listing.moment),
    "until": Criterion(gettext_lazy("until"), read=listing.moment),
}
NOTHING: Looked[AuditRow] = Looked([], None, None)
OPEN = ("waiting", "running")
SHOWN = 3
PANEL = {"verification": "audit/_verification.html"}


@require_GET
@needs("audit.view_auditevent")
def audit(request: HttpRequest) -> HttpResponse:
    """Show the events that fit, newest first, and what the last verifications found."""
    asked = Asked.of(request.GET, CRITERIA)

    def read(**where: Any) -> Looked[AuditRow]:
        return queries.audit_search(_filter(asked), **where)

    context = listing.page(request, asked, read, NOTHING) | {"kinds": sorted(KINDS)}
    panel = _panel(request)
    context |= panel.context | {
        "panel": panel.fragments["verification"],
        "may_export": may(request, "audit.export_audit"),
    }
    return live.varied(render(request, "audit/list.html", context, status=400 if context["problems"] else 200))


@require_GET
@needs("audit.view_auditevent")
def audit_live(request: HttpRequest) -> HttpResponse:
    """Answer the poller of the log: only a verification that is under way changes."""
    return live.answer(request, _token(), lambda: _panel(request))


@require_http_methods(["GET", "POST"])
@needs("audit.view_auditevent")
def verify(request: HttpRequest) -> HttpResponse:
    """Verify a run or a chain at once; POST has the whole trail verified."""
    if request.method == "POST":
        return _ask(request)
    asked = Asked.of(request.GET, {name: CRITERIA[name] for name in ("run", "chain")})
    context: dict[str, Any] = {"asked": asked, "problems": list(asked.problems)}
    if asked.read and not asked.problems:
        try:
            context["report"] = _examine(asked)
        except verifying.TooLong as error:
            context["problems"].append(str(error))
    return render(request, "audit/verify.html", context, status=400 if context["problems"] else 200)


@require_http_methods(["GET", "POST"])
@needs("audit.export_audit")
def audit_export(request: HttpRequest) -> HttpResponseBase:
    """Ask for the reason, then send what fits as lines of JSON that can be verified without the database."""
    asked = Asked.of(request.GET, CRITERIA)
    problems = list(asked.problems)
    if "reason" in asked.values:
        problems.append(_("An export cannot be narrowed by the words of a reason: take that filter away."))
    reason = posted_reason(request)
    if request.method == "GET" or problems or not reason:
        error = NO_REASON if request.method == "POST" and not reason else ""
        return _export_form(request, asked, problems, error)
    try:
        text = export(_wanted(asked), "ndjson", actor=actor(request), reason=reason, most=MOST_HEADS)
    except TooMuch as refused:
        return _export_form(request, asked, [f"{refused}: {_('use `manage.py export_audit`')}"], "")
    return _file(text)


def _filter(asked: Asked) -> AuditFilter:
    names = ("kind", "actor", "run", "chain", "definition", "reason")
    return AuditFilter(
        **{name: asked.read[name] for name in names if name in asked.read}, **asked.window(timezone.now())
    )


def _wanted(asked: Asked) -> Wanted:
    read, chosen = asked.read, _filter(asked)
    chain = read.get("chain")
    if chosen.definition and chain is None:
        chain = queries.chain_of(chosen.definition) or UUID(int=0)  # of nothing
    return Wanted(
        run=read.get("run"),
        chain=chain,
        since=chosen.since,
        until=chosen.until,
        event=read.get("kind"),
        actor=read.get("actor"),
    )


def _examine(asked: Asked) -> verifying.Report:
    if "chain" in asked.read:
        return verifying.examine_chain(asked.read["chain"])
    return verifying.examine_run(asked.read["run"])


def _ask(request: HttpRequest) -> HttpResponse:
    try:
        operations.ask_verification(actor=actor(request))
    except NotAllowed as refused:
        messages.warning(request, refused.message)
    else:
        messages.success(request, _("The whole trail will be verified; what is found is shown here."))
    return see_other(reverse("audit"))


def _panel(request: HttpRequest) -> live.Live:
    rows = queries.verifications(SHOWN)
    under_way = bool(rows) and rows[0].state in OPEN
    shown = live.fragments(request, PANEL, {"verifications": rows, "under_way": under_way})
    address = reverse("audit-live") if under_way else ""
    return live.Live(shown, address, _token(), live.LIST_SECONDS, {})


def _token() -> str:
    return ".".join(f"{row.id.hex[-6:]}{row.state}{row.events}" for row in queries.verifications(1))


def _export_form(request: HttpRequest, asked: Asked, problems: list[str], error: str) -> HttpResponse:
    context = {
        "asked": asked,
        "problems": problems,
        "error": error,
        "reason": request.POST.get("reason", ""),
        "whole": asked.values.keys() <= {"run"} or asked.values.keys() <= {"chain"},
        "back": f"{reverse('audit')}?{asked.query()}",
    }
    return render(request, "audit/export.html", context, status=422 if problems or error else 200)


def _file(text: Iterator[str]) -> StreamingHttpResponse:
    headers = {"Content-Disposition": 'attachment; filename="audit.ndjson"', "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(text, content_type="application/x-ndjson", headers=headers)
