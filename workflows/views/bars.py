"""What a step did when, as spans in seconds since the start of its run: queued, tried, backed off, waited."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from workflows.templatetags.display import describe_label, moment_text, seconds_text

WAITS = frozenset(["wait", "listen", "run", "join"])
WAITING_FUNCTIONS = ("approval:", "map:", "wait-until:")


@dataclass(frozen=True, slots=True)
class Bar:
    """A span of a row in seconds since the start: an attempt, queueing, back-off, waiting or a deadline."""

    kind: str
    start: float
    end: float
    title: str
    tone: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt, the one that goes on included; `end` is now for it."""

    number: int
    label: str
    start: datetime
    end: datetime


def bars(step: Any, origin: datetime, now: datetime) -> Iterator[Bar]:
    """Yield the bars of a step, in the order of their time."""

    def at(moment: datetime) -> float:
        return max((moment - origin).total_seconds(), 0.0)

    if step.kind == "timer":
        yield _deadline(step, at(step.created_at), at(step.finished_at or now))
    elif waits(step):
        yield _waiting(at(step.created_at), at(step.finished_at or now))  # `started_at` is when a worker noticed
    else:
        spans = [(tried, at(tried.start), at(tried.end)) for tried in attempts(step, now)]
        yield from _tries(spans, at(step.created_at))
        if step.state == "ready" and spans:
            yield _next(spans[-1][2], at(step.due_at))


def attempts(step: Any, now: datetime) -> list[Tried]:
    """Return every attempt of a step; a quiet success has only the step's own times."""
    spans = [
        Tried(each.number, each.outcome, each.started_at or each.finished_at, each.finished_at)
        for each in sorted(step.attempts, key=lambda each: each.number)
    ]
    last = spans[-1] if spans else None
    number = last.number + 1 if last else 1
    if step.state == "running" and step.started_at:
        spans.append(Tried(number, "running", step.started_at, now))
    elif step.state == "succeeded" and step.started_at and step.finished_at and (not last or last.label != "succeeded"):
        spans.append(Tried(number, "succeeded", step.started_at, step.finished_at))
    return spans


def waits(step: Any) -> bool:
    """Tell whether a step is nothing but waiting."""
    return step.kind in WAITS or step.function.startswith(WAITING_FUNCTIONS)


def _tries(spans: list[tuple[Tried, float, float]], created: float) -> Iterable[Bar]:
    previous = created
    for index, (tried, start, end) in enumerate(spans):
        if start > previous:
            kind, words = ("backoff", _("back-off %(took)s")) if index else ("queued", _("queued for %(took)s"))
            yield Bar(kind, previous, start, words % {"took": seconds_text(start - previous)})
        yield _attempt(tried, start, end, numbered=len(spans) > 1)
        previous = end


def _attempt(tried: Tried, start: float, end: float, *, numbered: bool) -> Bar:
    name, tone = describe_label(tried.label)
    told = {"number": tried.number, "outcome": str(name).lower(), "took": seconds_text(end - start)}
    title = _("attempt %(number)s %(outcome)s, %(took)s") % told
    return Bar("attempt", start, end, title, tone, str(tried.number) if numbered else "")


def _next(previous: float, due: float) -> Bar:
    until = max(due, previous)
    return Bar("backoff", previous, until, _("next attempt after %(took)s") % {"took": seconds_text(until - previous)})


def _deadline(step: Any, start: float, end: float) -> Bar:
    passed = step.state == "failed"
    words = _("passed %(at)s") if passed else _("due %(at)s")
    return Bar(
        "deadline", start, max(end, start), words % {"at": moment_text(step.due_at)}, "failed" if passed else ""
    )  # fmt: skip


def _waiting(start: float, end: float) -> Bar:
    return Bar("wait", start, max(end, start), _("waiting %(took)s") % {"took": seconds_text(end - start)})
