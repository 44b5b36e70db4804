"""Sentences about runs and audit events, for people."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dates import MONTHS_3
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from audit.recording import KINDS
from workflows.models import Run, Step
from workflows.queries.places import title

WAITS: Mapping[str, str] = {
    "back_off": gettext_noop("{name} failed, next attempt {due}: {error}"),
    "blocked": gettext_noop("{name} waits for a worker that knows its handler"),
    "timer": gettext_noop("waiting until {due} ({name})"),
    "person": gettext_noop("waiting for a person ({name})"),
    "event": gettext_noop("waiting for an event ({name})"),
    "child": gettext_noop("waiting for the run that {name} started"),
}
FAILED = gettext_noop("{name} failed: {error}")
WAITING = gettext_noop("waiting in {name}")


class _Facts(dict[str, Any]):
    """The data of an event; what it lacks is a dash."""

    def __missing__(self, _key: str) -> str:
        return "\u2013"


def now_sentence(run: Run, step: Step | None) -> str:
    """Return what the run does, or why it rests."""
    if run.state == "failed":
        words = _("{name} failed: {error} (what it had done is undone)") if run.reason == "undone" else _(FAILED)
        return words.format(name=_name(step) if step else run.name, error=_error(run.error))
    if run.state in ("succeeded", "cancelled"):
        return _("everything that it had done is undone") if run.reason == "undone" else ""
    if run.state == "suspended":
        return _("suspended at {name}").format(name=_name(step)) if step else _("suspended")
    return _going(run, step) if step else ""


def _going(run: Run, step: Step) -> str:
    if run.reason == "undoing":
        return _("undoing {name}").format(name=step.name) if step.function else _("undoing")
    if run.state == "waiting":
        words = _(WAITS.get(run.reason, WAITING))
        return words.format(name=_name(step), due=_clock(step.due_at), error=_error(step.error))
    return (_("running {name}") if step.state == "running" else _("{name} is due")).format(name=_name(step))


def _name(step: Step) -> str:
    """Return what people call a step; of a deadline that has passed, what was too late."""
    late = step.kind == "timer" and step.state == "failed"
    return step.name if late else title(step.kind, step.name, step.function)


def audit_sentence(kind: str, data: Mapping[str, Any]) -> str:
    """Return an audit event in words."""
    choose = _CHOSEN.get(kind)
    known = _SENTENCES.get(kind)
    words = choose(data) if choose else _(known) if known else ""
    if not words:
        return _(KINDS[kind]) if kind in KINDS else kind
    lists = {key: ", ".join(map(str, value)) for key, value in data.items() if isinstance(value, list)}
    return words.format_map(_Facts({"code": "fault", **data, **lists, "subject": _subject(data)}))


def _subject(data: Mapping[str, Any]) -> str:
    """Return what the event is about: a compensation carries the name of the step that it undoes."""
    name = str(data.get("name"))
    return _("the undo of {name}").format(name=name) if data.get("kind") == "undo" else name


def _succeeded(data: Mapping[str, Any]) -> str:
    if data.get("kind") == "wait":
        return _("The timer {name} was due")
    if data.get("kind") == "undo" and not data.get("function"):
        return _("The undo began")
    if data.get("attempt", 1) > 1:
        return _("{subject} succeeded at attempt {attempt}")
    return _("{subject} succeeded")


def _failed(data: Mapping[str, Any]) -> str:
    if data.get("reason") == "undone":
        return _("Ended as failed: what it had done is undone")
    if not data.get("step"):
        return _("Parked as a dead letter")
    if "code" not in data and "error" in data:
        return _("Parked as a dead letter at {step}: {error}")
    return _("Parked as a dead letter at {step}: {code}")


def _cancelled(data: Mapping[str, Any]) -> str:
    return _("Ended: what it had done is undone") if data.get("reason") == "undone" else ""


def _undo_requested(data: Mapping[str, Any]) -> str:
    count = data.get("recorded", 0)
    return ngettext("The undo of {recorded} step was requested", "The undo of {recorded} steps was requested", count)


def _retried(data: Mapping[str, Any]) -> str:
    if not data.get("steps"):
        return ""
    return _("Retried from {steps}, with edited input of {edited}") if data.get("edited") else _("Retried from {steps}")


def _used(data: Mapping[str, Any]) -> str:
    if data.get("host"):
        return _("The secret of {name} was given to {step} for {host}")
    return _("The secret of {name} was given to {step}")


# What is said depends on the data.
_CHOSEN: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "run.failed": _failed,
    "run.cancelled": _cancelled,
    "run.undo_requested": _undo_requested,
    "run.retried": _retried,
    "step.succeeded": _succeeded,
    "connection.used": _used,
}
_SENTENCES: Mapping[str, str] = {
    "run.started": gettext_noop("{definition} was started by {trigger}"),
    "run.unparked": gettext_noop("Goes on with {step}: the run below it was repaired"),
    "run.run_again": gettext_noop("Run again as {run}"),
    "run.repeats": gettext_noop("Repeats the run {rerun_of}"),
    "run.waiting": gettext_noop("Waiting in {name}"),
    "run.blocked": gettext_noop("No worker knows the handler of {function}"),
    "step.skipped": gettext_noop("{name} was passed over with an output given by hand (it was {was})"),
    "step.retrying": gettext_noop("{subject} failed with {code} (attempt {attempt}); next attempt in {retry_in} s"),
    "step.failed": gettext_noop("{subject} failed for good: {code}"),
    "timer.fired": gettext_noop("{name} was ended early; it would have waited until {due_at}"),
    "approval.answered": gettext_noop("{by} {decision} {name}"),
    "event.received": gettext_noop("The event {type} came in from {source}"),
    "webhook.accepted": gettext_noop("The endpoint {endpoint} accepted the message {message}"),
    "schedule.run_now": gettext_noop("A run of version {version} was started now, as the schedule would"),
    "entry.written": gettext_noop("The entry {namespace}/{key} was written, version {version}"),
    "entry.deleted": gettext_noop("The entry {namespace}/{key} was deleted at version {version}"),
    "audit.verified": gettext_noop("The whole trail was verified: {state}, {events} events"),
}


def _error(error: Mapping[str, Any] | None) -> str:
    if not error:
        return _("unknown error")
    return str(error.get("message") or error.get("detail") or error.get("title") or error.get("code"))


def _clock(at: datetime) -> str:
    local = timezone.localtime(at)
    return f"{local.day} {MONTHS_3[local.month].title()}, {local:%H:%M:%S %Z}"
