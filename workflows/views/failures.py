"""Failures in groups of the same cause: the list, one group with its trend, versions and runs, and what to decide."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods

from workflows import operations, queries
from workflows.operations import OperationError
from workflows.queries import FailureFilter, FailureRow, Page, RunFilter
from workflows.views import charting, listing, live
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.listing import Asked, Criterion
from workflows.views.permissions import actor, may
from workflows.views.run_commands import NO_REASON, posted_reason

STATES = {
    "open": gettext_lazy("Open"),
    "resolved": gettext_lazy("Resolved"),
    "ignored": gettext_lazy("Ignored"),
}
CRITERIA = {
    "state": Criterion(gettext_lazy("state"), choices=STATES),
    "q": Criterion(gettext_lazy("text")),
    "name": Criterion(gettext_lazy("workflow or action")),
    "code": Criterion(gettext_lazy("error code")),
    "since": Criterion(gettext_lazy("last seen"), choices=listing.WINDOWS),
}
NOTHING: Page[FailureRow] = Page([], None, None)
LATEST_RUNS = 10
# For how long, or for how many times more, a group is ignored.
CHOICES = {
    "1h": (gettext_lazy("1 hour"), timedelta(hours=1), None),
    "1d": (gettext_lazy("1 day"), timedelta(days=1), None),
    "7d": (gettext_lazy("1 week"), timedelta(days=7), None),
    "30d": (gettext_lazy("30 days"), timedelta(days=30), None),
    "10": (gettext_lazy("until it has happened 10 times more"), None, 10),
    "100": (gettext_lazy("until it has happened 100 times more"), None, 100),
    "1000": (gettext_lazy("until it has happened 1,000 times more"), None, 1_000),
}


@require_GET
@needs("workflows.view_failuregroup")
def failures(request: HttpRequest) -> HttpResponse:
    """List the groups that fit, the one that happened last at the top; without a state those that are open."""
    asked = Asked.of(request.GET, CRITERIA)
    state = asked.read.get("state", "open")

    def read(**where: Any) -> Page[FailureRow]:
        return queries.failures(_chosen(asked, state), **where)

    counts = queries.failure_counts()
    context = listing.page(request, asked, read, NOTHING) | {
        "state": state,
        "states": [(name, words, counts[name], asked.query(state=name)) for name, words in STATES.items()],
        "filtered": any(key != "state" for key in asked.values),
        "last_settled": queries.last_settled() if state == "open" else None,
    }
    context |= _poll(asked, context)
    return live.varied(render(request, "failures/list.html", context, status=400 if context["problems"] else 200))


@require_GET
@needs("workflows.view_failuregroup")
def failures_live(request: HttpRequest) -> HttpResponse:
    """Say how many causes of the list happened since the page was made; nothing moves under the reader."""
    asked = Asked.of(request.GET, CRITERIA)
    return listing.news(
        request,
        asked,
        "failures",
        lambda top: queries.failures_since(_chosen(asked, asked.read.get("state", "open")), listing.moment(top)),
        lambda count: ngettext("%d cause happened", "%d causes happened", count) % count,
    )


@require_GET
@needs("workflows.view_failuregroup")
def failure(request: HttpRequest, fingerprint: str) -> HttpResponse:
    """Show a group: what it is, when it happened, with which versions, and which of its runs wait for a person."""
    group = _find(fingerprint)
    window = request.GET.get("window", "24h")
    window = window if window in charting.WINDOWS else "24h"
    now = timezone.now()
    frame = charting.frame(window, now, least=3_600)
    hours = queries.failure_hours(group.id, frame.begins_at)
    shown = group.open_runs and may(request, "workflows.view_run")
    runs = queries.runs(RunFilter(group=fingerprint), limit=LATEST_RUNS).items if shown else []
    context = {
        "group": group,
        "window": window,
        "windows": [name for name in charting.WINDOWS if name != "1h"],
        "chart": charting.failures(frame, hours, now),
        "versions": queries.affected_versions(group.id),
        "notes": queries.failure_notes(group.id) if may(request, "audit.view_auditevent") else [],
        "runs": runs,
    }
    return render(request, "failures/failure.html", context)


@require_http_methods(["GET", "POST"])
@needs("workflows.change_failuregroup")
def resolve(request: HttpRequest, fingerprint: str) -> HttpResponse:
    """Ask for the reason, then say that the cause of a group is removed."""
    form = {
        "verb": "resolve",
        "title": _("Is the cause of this removed?"),
        "explanation": _(
            "The group leaves the list of open failures and opens by itself when it happens again. Its runs stay as "
            "they are: retry them, or mark them as resolved as well."
        ),
        "button": _("Resolve"),
    }
    return _command(
        request,
        fingerprint,
        form,
        lambda **by: operations.resolve_failure(fingerprint, **by),
        _("Resolved. It opens by itself when it happens again."),
    )


@require_http_methods(["GET", "POST"])
@needs("workflows.change_failuregroup")
def ignore(request: HttpRequest, fingerprint: str) -> HttpResponse:
    """Ask for how long and why, then leave a group alone."""
    chosen = request.POST.get("for", "1d")
    form = {
        "verb": "ignore",
        "title": _("Leave this alone for a while?"),
        "explanation": _("It is still counted. Afterwards it is open again; its runs stay as they are."),
        "button": _("Ignore"),
        "choices": [(key, words) for key, (words, _length, _times) in CHOICES.items()],
        "chosen": chosen,
        "choice_error": "" if chosen in CHOICES else _("Choose for how long."),
    }

    def operation(**by: Any) -> None:
        _words, length, times = CHOICES[chosen]
        until = timezone.now() + length if length else None
        operations.ignore_failure(fingerprint, until=until, times=times, **by)

    return _command(request, fingerprint, form, operation, _("Ignored for now."))


@require_http_methods(["GET", "POST"])
@needs("workflows.change_failuregroup")
def reopen(request: HttpRequest, fingerprint: str) -> HttpResponse:
    """Ask for the reason, then say that somebody should look again."""
    form = {
        "verb": "reopen",
        "title": _("Open this again?"),
        "explanation": _("It goes back to the list of open failures."),
        "button": _("Open again"),
    }
    return _command(
        request,
        fingerprint,
        form,
        lambda **by: operations.reopen_failure(fingerprint, **by),
        _("It is open again."),
    )


def _command(
    request: HttpRequest, fingerprint: str, form: dict[str, Any], operation: Callable[..., None], done: str
) -> HttpResponse:
    group = _find(fingerprint)
    back = reverse("failure", args=[fingerprint])
    reason, posted = posted_reason(request), request.method == "POST"
    if posted and reason and not form.get("choice_error"):
        try:
            operation(actor=actor(request), reason=reason)
        except OperationError as refused:
            messages.error(request, _("Nothing was done: %(why)s") % {"why": refused.message})
        else:
            messages.success(request, done)
        return see_other(back)
    context = {
        **form,
        "group": group,
        "error": NO_REASON if posted and not reason else "",
        "reason": request.POST.get("reason", ""),
        "action": request.path,
        "back": back,
    }
    return render(request, "failures/command.html", context, status=422 if posted else 200)


def _poll(asked: Asked, context: dict[str, Any]) -> dict[str, Any]:
    """Return what `_poll.html` needs: the first page asks what happened after its newest row, or from now on."""
    if not context["first"]:
        return {"poll_url": ""}
    items = context["page"].items
    top = items[0].last_seen_at if items else timezone.now()
    query = asked.query(top=top.isoformat(), v="0")
    return {"poll_url": f"{reverse('failures-live')}?{query}", "poll_every": live.LIST_SECONDS}


def _find(fingerprint: str) -> FailureRow:
    found = queries.failure(fingerprint)
    if found is None:
        raise Http404(_("There is no group of failures %(name)s.") % {"name": fingerprint})
    return found


def _chosen(asked: Asked, state: str) -> FailureFilter:
    window: dict[str, datetime | None] = asked.window(timezone.now())
    names = ("q", "name", "code")
    return FailureFilter(state=state, since=window["since"], **{name: asked.read.get(name, "") for name in names})
