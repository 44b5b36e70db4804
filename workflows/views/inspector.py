"""One step: its attempts, what it got and gave, what went wrong, and what is different from the attempt before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from workflows import queries
from workflows.queries import AttemptView, RunFacts, StepView
from workflows.views import diffs, wording
from workflows.views.bars import waits
from workflows.views.diffs import Line
from workflows.views.run_address import Address

RAW = ("input", "output", "error", "log")


@dataclass(frozen=True)
class Try:
    """An attempt in the switcher, and its address."""

    attempt: AttemptView
    url: str
    current: bool


@dataclass(frozen=True)
class Value:
    """A value with where its raw form is. `before` is the number of the attempt that it can be compared with, `same`
    says that there is nothing to compare; `lines` is the difference while it is asked for, None when it is too large.
    """

    name: str
    title: str
    value: Any
    raw: str
    before: int = 0
    same: bool = False
    compared: bool = False
    toggle: str = ""
    lines: Sequence[Line] | None = None


def build(run: RunFacts, step: StepView, address: Address, *, alone: bool) -> dict[str, Any]:
    """Return what `_inspector.html` shows; `alone`: on a page of its own."""
    here = Address({**address.values, **({} if alone else {"step": str(step.id)})}, address.opened)
    attempt = chosen(step, address)
    index = step.attempts.index(attempt) if attempt else -1
    previous = step.attempts[index - 1] if index > 0 else None
    return {
        "run": run,
        "step": step,
        "attempt": attempt,
        "tries": [Try(each, here.to(attempt=str(each.number), diff=""), each is attempt) for each in step.attempts],
        "earlier": step.attempts[index - 1].number if index > 0 else None,
        "later": step.attempts[index + 1].number if -1 < index < len(step.attempts) - 1 else None,
        "queued": _queued(step, attempt, previous),
        "only_waits": waits(step),
        "policy": wording.policy(step),
        "deadline": wording.deadline(step),
        "traceback": _traceback(_error(step, attempt)),
        "values": list(_values(run, step, attempt, previous, here)),
        "alone": alone,
        "here": reverse("step", args=[run.id, step.id]) if alone else reverse("run", args=[run.id]),
        "own_page": reverse("step", args=[run.id, step.id]),
        **_about(run, step),
    }


def chosen(step: StepView, address: Address) -> AttemptView | None:
    """Return the attempt that the address names, or the last one."""
    asked = address.get("attempt")
    named = (each for each in step.attempts if str(each.number) == asked)
    return next(named, step.attempts[-1] if step.attempts else None)


def part(step: StepView, attempt: AttemptView | None, name: str) -> Any:
    """Return a value of a step, as its attempt had it."""
    if name == "error":
        return _error(step, attempt)
    if name == "log":
        return attempt.log if attempt else []
    if name == "input" and attempt and attempt.input is not None:
        return attempt.input
    return getattr(step, name)


def _error(step: StepView, attempt: AttemptView | None) -> Any:
    return (attempt.error if attempt else None) or (step.error if _last(step, attempt) else None)


def _last(step: StepView, attempt: AttemptView | None) -> bool:
    return attempt is None or attempt is step.attempts[-1]


def _values(
    run: RunFacts, step: StepView, attempt: AttemptView | None, previous: AttemptView | None, here: Address
) -> Any:
    titles = {"error": _("Error"), "input": _("Input"), "output": _("Output")}
    for name, title in titles.items():
        value = part(step, attempt, name)
        shown = value is not None and (name != "output" or _last(step, attempt))
        if not shown or (step.kind == "timer" and name == "input"):
            continue
        plain = Value(name, title, _brief(value, name), _raw(run, step, attempt, name))
        yield plain if name == "output" or previous is None else _compared(plain, step, previous, here)


def _compared(plain: Value, step: StepView, previous: AttemptView, here: Address) -> Value:
    old = _brief(part(step, previous, plain.name), plain.name)
    if old is None:
        return plain
    asked = here.get("diff") == plain.name
    same = old == plain.value
    found = diffs.lines(old, plain.value) if asked and not same else ()
    return Value(
        plain.name, plain.title, plain.value, plain.raw, before=previous.number, same=same,
        compared=asked and not same, toggle=here.to(diff="" if asked else plain.name), lines=found,
    )  # fmt: skip


def _raw(run: RunFacts, step: StepView, attempt: AttemptView | None, name: str) -> str:
    url = reverse("step-raw", args=[run.id, step.id, name])
    return f"{url}?attempt={attempt.number}" if attempt else url


def _queued(step: StepView, attempt: AttemptView | None, previous: AttemptView | None) -> timedelta | None:
    """Return how long an attempt waited for its turn: since the step was due, or since the attempt before it ended."""
    began = attempt.started_at if attempt else None
    since = previous.finished_at if previous else step.created_at
    return max(began - since, timedelta()) if began and since else None


def _traceback(error: Any) -> str:
    return str(error.get("traceback") or "") if isinstance(error, dict) else ""


def _brief(value: Any, name: str) -> Any:
    """Return an error without its traceback, which has a place of its own; other values as they are."""
    if name != "error" or not isinstance(value, dict):
        return value
    return {key: each for key, each in value.items() if key != "traceback"}


def _about(run: RunFacts, step: StepView) -> dict[str, Any]:
    """Return what belongs to the step alone: messages, what it waits for, the runs that it started."""
    starts_runs = step.kind == "run" or step.function.startswith("map:")
    return {
        "received": queries.messages(run.id, step.id),
        "wanted": queries.wanted(step.id) if step.kind == "listen" else [],
        "children": queries.children(step.id, step.name) if starts_runs else None,
    }
