"""Send an event to a run by hand."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dotdo_site.lib import strict_json
from dotdo_site.lib.ids import uuid7
from workflows import cloudevents, operations
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor
from workflows.views.rests import types
from workflows.views.run import find
from workflows.views.run_commands import NO_REASON, posted_reason


@dataclass(frozen=True)
class Typed:
    """What the reader has typed. `id` comes with the form: sending it twice is one event."""

    id: str
    type: str = ""
    text: str = "{}"
    reason: str = ""


@require_http_methods(["GET", "POST"])
@needs("workflows.send_event")
def send_event(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Ask for the type and the data, then put the event into the mailbox of the run."""
    if request.method == "GET":
        return _show(request, run_id, Typed(str(uuid7()), request.GET.get("type") or _awaited(run_id)))
    typed = Typed(*(request.POST.get(name, "").replace("\x00", "") for name in ("id", "type", "data", "reason")))
    problems: list[str] = [] if posted_reason(request) else [str(NO_REASON)]
    data: Any = None
    try:
        data = strict_json.loads(typed.text.encode("utf-8", "surrogatepass"))
    except strict_json.BadJSON as error:
        problems.append(f"data: {error.message}")
    envelope = _envelope(request, run_id, typed, data)
    problems += map(str, cloudevents.problems(envelope))
    return _show(request, run_id, typed, problems) if problems else _send(request, run_id, envelope)


def _envelope(request: HttpRequest, run_id: UUID, typed: Typed, data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": typed.id,
        "source": f"/people/{quote(request.user.get_username())}",
        "type": typed.type.strip(),
        "subject": str(run_id),
        "reason": posted_reason(request),
        "data": data,
    }


def _send(request: HttpRequest, run_id: UUID, envelope: dict[str, Any]) -> HttpResponse:
    find(run_id)
    delivered = operations.deliver_event(envelope, actor=actor(request), via="person", run_id=run_id)
    if not delivered.created:
        messages.warning(request, "This event was sent before: nothing was sent twice.")
    elif delivered.runs:
        messages.success(request, "The event is in the mailbox of the run.")
    else:
        messages.error(request, "The run is over: nobody took the event.")
    return see_other(reverse("run", args=[run_id]))


def _awaited(run_id: UUID) -> str:
    """Return the first type that the run listens for, empty when it does not say one."""
    return next(iter(types(find(run_id))), "")


def _show(request: HttpRequest, run_id: UUID, typed: Typed, problems: list[str] | None = None) -> HttpResponse:
    run = find(run_id)
    context = {
        "run": run,
        "typed": typed,
        "problems": problems or [],
        "refusal": run.can_send,
        "types": types(run),
        "back": reverse("run", args=[run_id]),
    }
    return render(request, "runs/send_event.html", context, status=422 if problems else 200)
