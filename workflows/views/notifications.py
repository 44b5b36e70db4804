"""What was told, what did not arrive, what is muted: and how to change that, each with a reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from dotdo_site.lib.paging import BadCursor
from workflows import operations, queries
from workflows.models.notifications import NOTIFICATION_STATES
from workflows.operations import OperationError
from workflows.operations.notifications import RESENT, SUBJECTS
from workflows.queries import NotificationRow, Page
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor
from workflows.views.run_commands import NO_REASON, posted_reason

PAGE_SIZE = 50
HOURS = {
    1: gettext_lazy("1 hour"),
    4: gettext_lazy("4 hours"),
    24: gettext_lazy("1 day"),
    168: gettext_lazy("1 week"),
    720: gettext_lazy("30 days"),
}


@require_GET
@needs("workflows.view_notification")
def notifications(request: HttpRequest) -> HttpResponse:
    """List the messages, newest first, and what is muted."""
    asked = request.GET.get("state", "")
    state = asked if asked in NOTIFICATION_STATES else ""
    page = _page(request, state)
    kept = {"state": state} if state else {}
    context = {
        "page": page,
        "state": state,
        "states": NOTIFICATION_STATES,
        "resent": RESENT,
        "mutes": queries.mutes(),
        "newer": urlencode({**kept, "before": page.previous}) if page.previous else "",
        "older": urlencode({**kept, "after": page.next}) if page.next else "",
    }
    return render(request, "notifications/list.html", context)


@require_http_methods(["GET", "POST"])
@needs("workflows.mute_notification")
def mute(request: HttpRequest) -> HttpResponse:
    """Ask what to mute, for how long and why; POST mutes it."""
    given = request.GET if request.method == "GET" else request.POST
    values = {name: given.get(name, "").replace("\x00", "").strip() for name in ("subject", "name", "hours", "reason")}
    problems = _mute_problems(request, values) if request.method == "POST" else {}
    if request.method == "POST" and not problems:
        until = timezone.now() + timedelta(hours=int(values["hours"]))
        try:
            operations.mute(
                values["subject"], values["name"], until, actor=actor(request), reason=posted_reason(request)
            )
        except OperationError as refused:
            problems = {"name": refused.message}
        else:
            told = {"name": values["name"], "time": HOURS[int(values["hours"])]}
            messages.success(request, _("Nobody is told of %(name)s for %(time)s.") % told)
            return see_other(reverse("notifications"))
    context = {**values, "subjects": SUBJECTS, "choices": HOURS.items(), "problems": problems}
    return render(request, "notifications/mute.html", context, status=422 if problems else 200)


@require_http_methods(["GET", "POST"])
@needs("workflows.mute_notification")
def unmute(request: HttpRequest, mute_id: UUID) -> HttpResponse:
    """Ask for the reason, then end a mute."""
    found = next((row for row in queries.mutes() if row.id == mute_id), None)
    if found is None:
        raise Http404(_("There is no mute %s.") % mute_id)
    form = {
        "heading": _("Muted: %s") % (found.title or found.name),
        "title": _("End this mute?"),
        "explanation": _("What happens from now on is told again. Failures that came meanwhile are not told any more."),
        "button": _("End the mute"),
        "done": _("It is told again."),
    }
    return _command(request, form, lambda **by: operations.unmute(mute_id, **by))


@require_http_methods(["GET", "POST"])
@needs("workflows.mute_notification")
def resend(request: HttpRequest, notification_id: UUID) -> HttpResponse:
    """Ask for the reason, then send a message again."""
    found = queries.notification(notification_id)
    if found is None:
        raise Http404(_("There is no notification %s.") % notification_id)
    form = {
        "heading": _("To %s") % found.address,
        "title": _("Send this message again?"),
        "explanation": _("It did not arrive: %s. All attempts begin anew.")
        % (found.error or _("nothing is known about why")),
        "button": _("Send it again"),
        "done": _("It goes out within seconds."),
    }
    if found.state == "waiting":
        form |= {
            "title": _("Send this message now?"),
            "explanation": _("It waits for its next attempt: %s. The attempts that it had still count.")
            % (found.error or _("nothing is known about why")),
            "button": _("Send it now"),
        }
    return _command(request, form, lambda **by: operations.resend(notification_id, **by))


def _command(request: HttpRequest, form: dict[str, str], operation: Callable[..., None]) -> HttpResponse:
    reason = posted_reason(request)
    if request.method == "POST" and reason:
        try:
            operation(actor=actor(request), reason=reason)
        except OperationError as refused:
            messages.error(request, _("Nothing was done: %s") % refused.message)
        else:
            messages.success(request, form["done"])
        return see_other(reverse("notifications"))
    error = NO_REASON if request.method == "POST" else ""
    context: dict[str, Any] = {
        **form,
        "error": error,
        "reason": request.POST.get("reason", ""),
        "action": request.path,
        "css": "primary",
        "back": reverse("notifications"),
    }
    return render(request, "notifications/command.html", context, status=422 if error else 200)


def _mute_problems(request: HttpRequest, values: dict[str, str]) -> dict[str, str]:
    found = {}
    if values["subject"] not in SUBJECTS:
        found["subject"] = _("Choose a rule, a definition or a run.")
    if not 0 < len(values["name"]) <= 120:
        found["name"] = _("Give the name of the rule or definition, or the id of the run.")
    if values["hours"] not in map(str, HOURS):
        found["hours"] = _("Choose for how long.")
    if not posted_reason(request):
        found["reason"] = NO_REASON
    return found


def _page(request: HttpRequest, state: str) -> Page[NotificationRow]:
    """Return the page that was asked for; the first one for a cursor that leads nowhere."""
    after, before = request.GET.get("after"), request.GET.get("before")
    try:
        return queries.notifications(state, after=after, before=before, limit=PAGE_SIZE)
    except BadCursor:
        return queries.notifications(state, limit=PAGE_SIZE)
