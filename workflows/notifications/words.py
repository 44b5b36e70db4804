"""What a message says: what failed, where, why, since when, and what to do next. Values of runs are never in it.

Errors are masked as pages mask them, and once more as text; a webhook gets codes and addresses, and no words at all.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from actions import markers
from actions.sensitive import mask, redact
from workflows import payloads
from workflows.models import Notice, Notification, Run, Step
from workflows.notifications.kinds import (
    CHORE_FAILED,
    DEAD_LETTER,
    KINDS,
    NO_WORKER,
    OF_FAILED_RUNS,
    OLD_TRANSACTION,
    QUEUE_AGE,
    SCHEDULE_FAILED,
    TEST,
    UNDO_FAILED,
    WAITING,
)

SHOWN = 5  # of a group
LONGEST = 300
LONGEST_SUBJECT = 150
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
WAITS = {"person": "a person", "event": "an event", "suspended": "somebody to resume it"}
TYPE = "dev.dotdo.notification"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a message tells of: lines for people, facts for programs. `where` and `why` may be empty."""

    what: str
    where: str
    why: str
    since: datetime
    url: str
    facts: dict[str, Any]


def content(message: Notification, notices: Sequence[Notice]) -> dict[str, Any]:
    """Return subject and text of the mail, and the payload of the webhook."""
    if message.kind == TEST:
        return _test(message)
    shown = [_told(notice) for notice in notices[:SHOWN]]
    url = settings.PUBLIC_URL + _list_path(message.kind)
    subject = f"[dotdo] {_headline(message, notices, shown)}"
    return {
        "subject": subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1] + "…",
        "text": _text(message, shown, len(notices), url),
        "payload": _payload(message, notices, shown, url),
    }


def clean(text: Any) -> str:
    """Return text of others as one line that can do no harm: without secrets, control characters, and not long."""
    plain = CONTROL.sub(" ", redact(str(text))).strip()
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def _headline(message: Notification, notices: Sequence[Notice], shown: Sequence[Item]) -> str:
    name, count = message.definition, len(notices)
    first = shown[0]
    if message.kind in OF_FAILED_RUNS:
        failed = "failed" if message.kind == DEAD_LETTER else "could not be undone"
        if count > 1:
            return f"{count} runs of {name} {failed}"
        return f"{name} {failed}" + (f" at {first.where}" if first.where else "")
    if message.kind == WAITING:
        return f"{name} has been waiting too long" if count == 1 else f"{count} runs of {name} have waited too long"
    return first.what


def _text(message: Notification, shown: Sequence[Item], count: int, url: str) -> str:
    kind = KINDS[message.kind]
    lines = [kind.meaning if count == 1 else f"{count} times within a short while: {kind.meaning}", ""]
    for told in shown:
        lines += [f"What:   {told.what}"]
        lines += [f"Where:  {told.where}"] if told.where else []
        lines += [f"Why:    {told.why}"] if told.why else []
        lines += [f"Since:  {_clock(told.since)}", f"Look:   {told.url}", ""]
    if count > len(shown):
        lines += [f"And {count - len(shown)} more: {url}", ""]
    lines += [f"What to do: {kind.to_do}", "", f"You get this because of {message.because}."]
    mute = f"{settings.PUBLIC_URL}/notifications/"
    return "\n".join([*lines, f"All messages, and how to mute them: {mute}", ""])


def _payload(message: Notification, notices: Sequence[Notice], shown: Sequence[Item], url: str) -> dict[str, Any]:
    data = {
        "kind": message.kind,
        "definition": message.definition,
        "count": len(notices),
        "since": min(notice.created_at for notice in notices).isoformat(),
        "url": url,
        "items": [{**told.facts, "url": told.url, "since": told.since.isoformat()} for told in shown],
    }
    return {"type": f"{TYPE}.{message.kind}.v1", "timestamp": timezone.now().isoformat(), "data": data}


def _test(message: Notification) -> dict[str, Any]:
    text = (
        f"This is a test of {message.because}. Messages arrive.\n\n"
        f"dotdo sends them from {settings.PUBLIC_URL}, when something needs a person.\n"
    )
    data = {"kind": TEST, "definition": "", "count": 1, "url": settings.PUBLIC_URL, "items": []}
    payload = {"type": f"{TYPE}.{TEST}.v1", "timestamp": timezone.now().isoformat(), "data": data}
    return {"subject": "[dotdo] Test: messages arrive", "text": text, "payload": payload}


def _told(notice: Notice) -> Item:
    return _of_run(notice, notice.run) if notice.run else _condition(notice)


def _of_run(notice: Notice, run_id: uuid.UUID) -> Item:
    run = Run.objects.get(pk=run_id)  # what is gone is not told
    url = f"{settings.PUBLIC_URL}/runs/{run_id}/"
    facts: dict[str, Any] = {"run": str(run_id), "definition": notice.definition}
    what = f"{clean(run.title or run.name)} (run {run.pk} of {run.name})"
    if notice.kind == WAITING:
        waits = notice.data.get("for", "")
        since = datetime.fromisoformat(notice.data["since"])
        facts |= {"for": waits}
        return Item(what, clean(notice.data.get("step", "")), f"it waits for {WAITS[waits]}", since, url, facts)
    step, error = _step(run), _error(run)
    code = str(error.get("code") or error.get("title") or run.reason)
    words = error.get("message") or error.get("detail") or ""
    facts |= {"reason": run.reason, "step": step, "code": clean(code)}
    why = f"{clean(code)}: {clean(words)}" if words else clean(code)
    above = _above(run)
    return Item(what + above, clean(step), why, run.stopped_at or notice.created_at, url, facts)


def _step(run: Run) -> str:
    """Return the name of the step that a run is parked on."""
    rows = Step.objects.filter(run=run, state="failed", caught=False).order_by("-id")
    return rows.values_list("name", flat=True).first() or ""


def _error(run: Run) -> Mapping[str, Any]:
    """Return the error as pages show it."""
    error = payloads.resolve(run.error, payloads.load(run.pk, [run.error])) if run.error else None
    shown = mask({}, markers.shorten(error)) if isinstance(error, dict) else {}
    return shown if isinstance(shown, dict) else {}


def _above(run: Run) -> str:
    """Return which run waits for this one."""
    if run.parent_step is None:
        return ""
    parent = Step.objects.filter(pk=run.parent_step).values_list("run__name", "run_id").first()
    return f"; {parent[0]} (run {parent[1]}) started it" if parent else ""


def _condition(notice: Notice) -> Item:
    data, name = notice.data, notice.definition
    url = settings.PUBLIC_URL + _list_path(notice.kind)
    since = _moment(data.get("since")) or notice.created_at
    what, why = _SENTENCES[notice.kind](notice, data)
    if notice.kind == SCHEDULE_FAILED:
        url = f"{settings.PUBLIC_URL}/workflows/{name}/"
    facts = {"definition": name, "queue": notice.queue}
    return Item(what, "", clean(why), since, url, {key: value for key, value in facts.items() if value})


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _no_worker(notice: Notice, data: Mapping[str, Any]) -> tuple[str, str]:
    count = data.get("steps", 1)
    waits = f"{count} due step{'' if count == 1 else 's'} wait{'s' if count == 1 else ''}"
    if notice.definition:
        return f"No worker knows {notice.definition}", f"{waits} in the queue {notice.queue}"
    return f"No worker serves the queue {notice.queue}", waits


def _queue_age(notice: Notice, data: Mapping[str, Any]) -> tuple[str, str]:
    waited = f"its oldest due step has waited for {data.get('seconds', 0):.0f} s"
    return f"The queue {notice.queue} is behind", waited


def _schedule_failed(notice: Notice, data: Mapping[str, Any]) -> tuple[str, str]:
    return f"The schedule of {notice.definition} could not start a run", str(data.get("error", ""))


def _chore_failed(notice: Notice, data: Mapping[str, Any]) -> tuple[str, str]:
    return f"The chore {notice.definition} failed", str(data.get("error", ""))


def _old_transaction(_notice: Notice, data: Mapping[str, Any]) -> tuple[str, str]:
    whose = data.get("application") or "an unnamed program"
    return "A transaction has been open too long", f"process {data.get('pid')} of {whose}"


_SENTENCES = {
    NO_WORKER: _no_worker,
    QUEUE_AGE: _queue_age,
    SCHEDULE_FAILED: _schedule_failed,
    CHORE_FAILED: _chore_failed,
    OLD_TRANSACTION: _old_transaction,
}


def _list_path(kind: str) -> str:
    """Return the page that shows everything of a kind."""
    if kind in (DEAD_LETTER, UNDO_FAILED):
        return "/runs/?status=failed"
    return "/runs/?status=waiting" if kind == WAITING else "/"


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%-d %b %Y, %H:%M:%S UTC")
