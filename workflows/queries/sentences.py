"""Sentences about runs and audit events, for people."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from audit.recording import KINDS
from workflows.models import Run, Step
from workflows.queries.places import title

WAITS: Mapping[str, str] = {
    "back_off": "{name} failed, next attempt {due}: {error}",
    "blocked": "{name} waits for a worker that knows its handler",
    "timer": "waiting until {due} ({name})",
    "person": "waiting for a person ({name})",
    "event": "waiting for an event ({name})",
    "child": "waiting for the run that {name} started",
}


def now_sentence(run: Run, step: Step | None) -> str:
    """Return what the run does, or why it rests."""
    if run.state == "failed":
        after = " (what it had done is undone)" if run.reason == "undone" else ""
        return f"{_name(step) if step else run.name} failed: {_error(run.error)}{after}"
    if run.state in ("succeeded", "cancelled"):
        return "everything that it had done is undone" if run.reason == "undone" else ""
    if run.state == "suspended":
        return f"suspended at {_name(step)}" if step else "suspended"
    return _going(run, step) if step else ""


def _going(run: Run, step: Step) -> str:
    if run.reason == "undoing":
        return f"undoing {step.name}" if step.function else "undoing"
    if run.state == "waiting":
        words = WAITS.get(run.reason, "waiting in {name}")
        return words.format(name=_name(step), due=_clock(step.due_at), error=_error(step.error))
    return f"running {_name(step)}" if step.state == "running" else f"{_name(step)} is due"


def _name(step: Step) -> str:
    """Return what people call a step; of a deadline that has passed, what was too late."""
    late = step.kind == "timer" and step.state == "failed"
    return step.name if late else title(step.kind, step.name, step.function)


def audit_sentence(kind: str, data: Mapping[str, Any]) -> str:
    """Return an audit event in words."""
    sentence = _SENTENCES.get(kind)
    return sentence(data) if sentence else KINDS.get(kind, kind)


def _retrying(data: Mapping[str, Any]) -> str:
    return (
        f"{_subject(data)} failed with {data.get('code')} (attempt {data.get('attempt')}); "
        f"next attempt in {data.get('retry_in')} s"
    )


def _succeeded(data: Mapping[str, Any]) -> str:
    if data.get("kind") == "wait":
        return f"The timer {data.get('name')} was due"
    if data.get("kind") == "undo" and not data.get("function"):
        return "The undo began"
    attempt = data.get("attempt", 1)
    return f"{_subject(data)} succeeded" + (f" at attempt {attempt}" if attempt > 1 else "")


def _subject(data: Mapping[str, Any]) -> str:
    """Return what the event is about: a compensation carries the name of the step that it undoes."""
    return f"the undo of {data.get('name')}" if data.get("kind") == "undo" else str(data.get("name"))


def _failed(data: Mapping[str, Any]) -> str:
    if data.get("reason") == "undone":
        return "Ended as failed: what it had done is undone"
    if not data.get("step"):
        return "Parked as a dead letter"
    return f"Parked as a dead letter at {data['step']}: {data.get('code', data.get('error', 'fault'))}"


def _cancelled(data: Mapping[str, Any]) -> str:
    return "Ended: what it had done is undone" if data.get("reason") == "undone" else KINDS["run.cancelled"]


def _undo_requested(data: Mapping[str, Any]) -> str:
    count = data.get("recorded", 0)
    return f"The undo of {count} step{'' if count == 1 else 's'} was requested"


def _retried(data: Mapping[str, Any]) -> str:
    steps, edited = data.get("steps"), data.get("edited")
    with_edits = f", with edited input of {', '.join(edited)}" if edited else ""
    return f"Retried from {', '.join(steps)}{with_edits}" if steps else KINDS["run.retried"]


def _started(data: Mapping[str, Any]) -> str:
    return f"{data.get('definition')} was started by {data.get('trigger')}"


def _skipped(data: Mapping[str, Any]) -> str:
    return f"{data.get('name')} was passed over with an output given by hand (it was {data.get('was')})"


def _answered(data: Mapping[str, Any]) -> str:
    return f"{data.get('by')} {data.get('decision')} {data.get('name')}"


_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "run.started": _started,
    "run.failed": _failed,
    "run.cancelled": _cancelled,
    "run.unparked": lambda data: f"Goes on with {data.get('step')}: the run below it was repaired",
    "run.undo_requested": _undo_requested,
    "run.run_again": lambda data: f"Run again as {data.get('run')}",
    "run.repeats": lambda data: f"Repeats the run {data.get('rerun_of')}",
    "step.skipped": _skipped,
    "timer.fired": lambda data: f"{data.get('name')} was ended early; it would have waited until {data.get('due_at')}",
    "approval.answered": _answered,
    "run.retried": _retried,
    "step.succeeded": _succeeded,
    "step.retrying": _retrying,
    "step.failed": lambda data: f"{_subject(data)} failed for good: {data.get('code', 'fault')}",
    "run.waiting": lambda data: f"Waiting in {data.get('name')}",
    "connection.used": lambda data: f"The secret of {data.get('name')} was given to {data.get('step')}{_to(data)}",
    "event.received": lambda data: f"The event {data.get('type')} came in from {data.get('source')}",
    "webhook.accepted": lambda data: f"The endpoint {data.get('endpoint')} accepted the message {data.get('message')}",
    "schedule.run_now": lambda data: f"A run of version {data.get('version')} was started now, as the schedule would",
    "entry.written": lambda data: f"{_entry(data)} was written, version {data.get('version')}",
    "entry.deleted": lambda data: f"{_entry(data)} was deleted at version {data.get('version')}",
    "audit.verified": lambda data: f"The whole trail was verified: {data.get('state')}, {data.get('events')} events",
    "run.blocked": lambda data: f"No worker knows the handler of {data.get('function')}",
}


def _entry(data: Mapping[str, Any]) -> str:
    return f"The entry {data.get('namespace')}/{data.get('key')}"


def _to(data: Mapping[str, Any]) -> str:
    return f" for {data['host']}" if data.get("host") else ""


def _error(error: Mapping[str, Any] | None) -> str:
    if not error:
        return "unknown error"
    return str(error.get("message") or error.get("detail") or error.get("title") or error.get("code"))


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%-d %b, %H:%M:%S UTC")
