"""What people may do with a run: all of it, and of what is not allowed why, by its state or by the reader's role."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from dotdo_site.access.people import roles_with
from workflows.queries import RunOutline, StepLine
from workflows.views.commands import COMMANDS
from workflows.views.permissions import may

START = "workflows.start_run"


@dataclass(frozen=True)
class Choice:
    """An entry of the menu; with a `refusal` it cannot be chosen. `dialog` is the id of its form on the page."""

    title: str
    icon: str
    url: str
    refusal: str = ""
    dialog: str = ""
    css: str = ""


@dataclass(frozen=True)
class _Offer:
    title: str
    icon: str
    url: str
    permission: str
    refusal: str | None
    dialog: str = ""
    css: str = ""


def menu(request: HttpRequest, run: RunOutline, step: StepLine | None, *, told: bool) -> list[Choice]:
    """Return everything that can be done; `step` is the one that matters, `told`: its retry stands beside the fault."""
    offers = [*_again(run, step), *_steps(run, step), *_commands(run), *_rest(run)]
    if told and may(request, COMMANDS["retry"].permission):
        offers = [offer for offer in offers if not (offer.dialog == "dialog-retry" and offer.refusal is None)]
    lacking = {offer.permission for offer in offers if not may(request, offer.permission)}
    roles = roles_with(lacking)
    return [_choice(offer, roles.get(offer.permission)) for offer in offers]


def _choice(offer: _Offer, roles: list[str] | None) -> Choice:
    if roles is None:
        return Choice(offer.title, offer.icon, offer.url, offer.refusal or "", offer.dialog, offer.css)
    named = ", ".join(roles) or _("nobody has")
    refusal = _("Your role does not allow it. Roles that do: %(roles)s.") % {"roles": named}
    return Choice(offer.title, offer.icon, offer.url, refusal)


def _again(run: RunOutline, step: StepLine | None) -> Iterator[_Offer]:
    retry = COMMANDS["retry"]
    name = {"step": step.title} if step and step.state == "failed" else None
    title = _("Retry from %(step)s") % name if name else _("Retry from the failed step")
    url = reverse("run-retry", args=[run.id])
    yield _Offer(title, retry.icon, url, retry.permission, run.can_retry, "dialog-retry")
    edit = step.can_edit if step else _("No step of this run has failed.")
    url = reverse("step-edit", args=[run.id, step.id]) if step else ""
    yield _Offer(_("Retry with other input…"), "edit", url, retry.permission, edit)
    again = reverse("run-again", args=[run.id])
    yield _Offer(_("Run again on the current version…"), "play", again, START, run.can_again)
    start = reverse(f"{run.kind}-start", args=[run.name]) + f"?from={run.id}"
    yield _Offer(_("Start another one with edits…"), "plus", start, START, None)


def _steps(run: RunOutline, step: StepLine | None) -> Iterator[_Offer]:
    nothing = _("No step is open.")
    url = reverse("step-skip", args=[run.id, step.id]) if step else ""
    title = _("Skip %(step)s with an output…") % {"step": step.title} if step else _("Skip a step with an output…")
    yield _Offer(title, "skip", url, "workflows.skip_step", step.can_skip if step else nothing)
    timed = next((each for each in run.steps if each.can_fire is None), None)
    url = reverse("step-fire", args=[run.id, timed.id]) if timed else ""
    title = _("End the wait of %(step)s now…") % {"step": timed.title} if timed else _("End a wait now…")
    yield _Offer(title, "clock", url, "workflows.fire_timer", None if timed else _("No step waits for a time."))
    if run.kind == "workflow":
        url = reverse("run-event", args=[run.id])
        yield _Offer(_("Send an event…"), "bolt", url, "workflows.send_event", run.can_send)


def _commands(run: RunOutline) -> Iterator[_Offer]:
    pausing = "resume" if run.can_resume is None else "suspend"
    for verb in (pausing, "resolve", "undo", "cancel", "erase"):
        command = COMMANDS[verb]
        url = reverse(command.url_name, args=[run.id])
        refusal, dialog = command.refusal(run), f"dialog-{verb}"
        yield _Offer(f"{command.button}…", command.icon, url, command.permission, refusal, dialog, command.css)


def _rest(run: RunOutline) -> Iterator[_Offer]:
    quiet = None if run.state == "failed" else _("Only a run that failed is told about.")
    url = f"{reverse('notification-mute')}?{urlencode({'subject': 'run', 'name': run.id})}"
    yield _Offer(_("Mute its notifications…"), "pause", url, "workflows.mute_notification", quiet)
    url = reverse("run-reveal", args=[run.id])
    yield _Offer(_("Show hidden values…"), "key", url, "workflows.view_payload", None)


def chosen_first(step: Any, run: RunOutline) -> StepLine | None:
    """Return the step that the menu is about: the one that failed, or else one that is open."""
    return step or next((each for each in run.steps if each.can_skip is None), None)
