"""The inbox of events: what came in, what became of it, and forms to send one or to deliver one again."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods

from dotdo_site.lib import strict_json
from dotdo_site.lib.ids import uuid7
from workflows import cloudevents, operations, queries
from workflows.operations import Delivered, EventInvalid, UnknownEvent
from workflows.queries import EventFilter, EventRow, Looked
from workflows.views import listing, live
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.listing import Asked, Criterion
from workflows.views.permissions import actor
from workflows.views.run_commands import NO_REASON, posted_reason

VIAS = {
    "api": gettext_lazy("API"),
    "webhook": gettext_lazy("webhook of a run"),
    "endpoint": gettext_lazy("endpoint"),
    "emit": gettext_lazy("a workflow"),
    "person": gettext_lazy("a person"),
}
CRITERIA = {
    "type": Criterion(gettext_lazy("type")),
    "source": Criterion(gettext_lazy("source")),
    "via": Criterion(gettext_lazy("via"), choices=VIAS),
    "run": Criterion(gettext_lazy("run"), read=listing.identity),
    "taken": Criterion(gettext_lazy("taken"), choices={"no": gettext_lazy("by no run")}),
    "since": Criterion(gettext_lazy("received"), choices=listing.WINDOWS),
    "from": Criterion(gettext_lazy("from"), read=listing.moment),
    "until": Criterion(gettext_lazy("until"), read=listing.moment),
}
NOTHING: Looked[EventRow] = Looked([], None, None)
FIELDS = ("id", "type", "source", "subject", "data")


@require_GET
@needs("workflows.view_event")
def events(request: HttpRequest) -> HttpResponse:
    """Show the events that fit, newest first."""
    asked = Asked.of(request.GET, CRITERIA)

    def read(**where: Any) -> Looked[EventRow]:
        return queries.events_by(_filter(asked), **where)

    context = listing.page(request, asked, read, NOTHING)
    context |= listing.poll(context, "events-live") | {"vias": VIAS}
    return live.varied(render(request, "events/list.html", context, status=400 if context["problems"] else 200))


@require_GET
@needs("workflows.view_event")
def events_live(request: HttpRequest) -> HttpResponse:
    """Say how many events that fit came in since the page was made."""
    asked = Asked.of(request.GET, CRITERIA)
    return listing.news(
        request,
        asked,
        "events",
        lambda top: queries.events_newer(_filter(asked), UUID(top)),
        lambda count: ngettext("%d new event", "%d new events", count) % count,
    )


@require_GET
@needs("workflows.view_event")
def event(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """Show an event and what became of it."""
    found = queries.event(event_id)
    if found is None:
        raise Http404(_("There is no event %s.") % event_id)
    context = {"event": found, "course": queries.course(event_id), "vias": VIAS, "replayed": _replayed(found.envelope)}
    return render(request, "events/event.html", context)


@require_http_methods(["GET", "POST"])
@needs("workflows.send_event")
def send(request: HttpRequest) -> HttpResponse:
    """Ask for an event, then deliver it to whoever it is for."""
    if request.method == "GET":
        typed = {"id": str(uuid7()), "type": request.GET.get("type", ""), "source": _source(request), "data": "{}"}
        return _form(request, {**typed, "subject": request.GET.get("subject", "")})
    typed = {name: request.POST.get(name, "").replace("\x00", "") for name in FIELDS}
    envelope, problems = _envelope(typed)
    problems = ([] if posted_reason(request) else [NO_REASON]) + problems
    if problems:
        return _form(request, typed, problems)
    delivered = operations.deliver_event(envelope, actor=actor(request), via="person", reason=posted_reason(request))
    return _told(request, delivered)


@require_http_methods(["GET", "POST"])
@needs("workflows.send_event")
def replay(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """Ask for the reason, then deliver an event once more, as another one."""
    found = queries.event(event_id)
    if found is None:
        raise Http404(_("There is no event %s.") % event_id)
    number, reason = request.POST.get("id", "") or str(uuid7()), posted_reason(request)
    context = {"event": found, "id": number, "reason": request.POST.get("reason", "")}
    if request.method == "GET" or not reason:
        problem = NO_REASON if request.method == "POST" else ""
        status = 422 if problem else 200
        return render(request, "events/replay.html", {**context, "error": problem}, status=status)
    try:
        delivered = operations.replay_event(event_id, number=number, actor=actor(request), reason=reason)
    except UnknownEvent as unknown:
        raise Http404(unknown.message) from unknown
    except EventInvalid as refused:
        text = "; ".join(map(str, refused.problems))
        return render(request, "events/replay.html", {**context, "error": text}, status=422)
    return _told(request, delivered)


def _filter(asked: Asked) -> EventFilter:
    read = asked.read
    return EventFilter(
        type=read.get("type", ""),
        source=read.get("source", ""),
        via=read.get("via", ""),
        run=read.get("run"),
        untaken="taken" in read,
        **asked.window(timezone.now()),
    )


def _envelope(typed: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return the event as it was typed, and what is wrong with it."""
    found = {"specversion": "1.0", **{name: typed[name].strip() for name in ("id", "type", "source", "subject")}}
    if not found["subject"]:
        del found["subject"]
    problems = list[str]()
    try:
        found["data"] = strict_json.loads(typed["data"].encode("utf-8", "surrogatepass"))
    except strict_json.BadJSON as error:
        problems.append(f"data: {error.message}")
    return found, problems + [str(problem) for problem in cloudevents.problems(found)]


def _told(request: HttpRequest, delivered: Delivered) -> HttpResponse:
    """Say what became of an event that was sent, and lead to it."""
    count = len(delivered.runs)
    if not delivered.created:
        messages.warning(request, _("This event was sent before: nothing was sent twice."))
    elif count:
        text = ngettext("The event was handed to %d run.", "The event was handed to %d runs.", count)
        messages.success(request, text % count)
    else:
        messages.warning(request, _("The event is kept, but nobody listens for it now."))
    return see_other(reverse("event", args=[delivered.event_id]))


def _form(request: HttpRequest, typed: dict[str, str], problems: list[str] | None = None) -> HttpResponse:
    context = {"typed": typed, "problems": problems or [], "reason": request.POST.get("reason", "")}
    return render(request, "events/send.html", context, status=422 if problems else 200)


def _source(request: HttpRequest) -> str:
    return f"/people/{quote(request.user.get_username())}"


def _replayed(envelope: dict[str, Any]) -> UUID | None:
    """Return which event was delivered again as this one."""
    try:
        return UUID(str(envelope.get("replayof", "")))
    except ValueError:
        return None
