"""The way of a run as its trail tells it: its steps, and between them the tasks that leave no step.

The lines stand in the audit events of the checkpoints, `<key> <words>`: which case a switch took, which iteration of
how many began, what was skipped, what was caught.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.models import AuditEvent
from workflows.models import Step
from workflows.queries.labels import step_label
from workflows.queries.places import inside, name_of, title
from workflows.queries.runs import UNDO_KEY

LIMIT = 500
DEEPEST = 6
ENDS = ("step.succeeded", "step.failed", "step.skipped")
UNDO = "#undo"
Told = tuple[AuditEvent, dict[str, Any]]
NOT_SHOWN = ("start", "task", "timer", "join")


@dataclass(frozen=True, slots=True)
class PathLine:
    """One stop on the way. `sign` is the label of a step, or `passed`, `took`, `skipped`, `caught`, `iteration`."""

    at: datetime
    key: str
    name: str
    words: str
    sign: str
    depth: int
    inside: list[str]
    step: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """The first 500 lines, and whether there are more."""

    lines: list[PathLine]
    more: bool


def path(run_id: uuid.UUID) -> Path:
    """Return the way that a run has taken so far, oldest first."""
    rows = AuditEvent.objects.filter(run=run_id).order_by("at", "chain", "seq")[: LIMIT + 1]
    events = _behind_undoing([(event, json.loads(event.data)) for event in rows])
    keys = {data["step"] for event, data in events if event.kind in ENDS and data.get("step")}
    steps = {step.key: step for step in Step.objects.filter(run=run_id, key__in=keys)}
    lines = _told_once(line for event, data in events for line in _lines(event, data, steps))
    return Path(lines[:LIMIT], len(lines) > LIMIT or len(events) > LIMIT)


def _behind_undoing(events: list[Told]) -> list[Told]:
    """Put what a saga caught behind what it undid first: only then its catch went on."""
    moved = list(events)
    for at, (event, data) in enumerate(events):
        told = data.get("path", [])[data.get("before", 0) :]
        text = told[-1] if told else ""
        last = _last_undone(events, at, text.partition(" ")[0]) if " caught " in text else None
        if last is not None:
            moved[at] = (event, data | {"path": data["path"][:-1]})
            undo, after = moved[last]
            path, before = after.get("path", []), after.get("before", 0)
            moved[last] = (undo, after | {"path": [*path[:before], text, *path[before:]]})
    return moved


def _last_undone(events: list[Told], at: int, key: str) -> int | None:
    """Return the event that ended the undoing inside a task, None when there was none or it goes on."""
    chain, last = events[at][0].chain, None
    for index, (event, data) in enumerate(events[at + 1 :], at + 1):
        step = data.get("step", "")
        if event.chain != chain or not event.kind.startswith("step."):
            continue
        if UNDO not in step or not step.startswith(f"{key}@"):
            break
        last = index if event.kind in ("step.succeeded", "step.skipped") else None
    return last if last is None or UNDO not in events[last][1].get("next", "") else None


def _lines(event: AuditEvent, data: Mapping[str, Any], steps: Mapping[str, Step]) -> Iterator[PathLine]:
    step = steps.get(data.get("step", ""))
    told, before = data.get("path", ()), data.get("before", 0)
    for text in told[:before]:
        yield _noted(event.at, text)
    if event.kind in ENDS and step is not None and step.kind not in NOT_SHOWN and step.key != UNDO_KEY:
        yield _step(event, step)
    for text in told[before:]:
        yield _noted(event.at, text)


def _told_once(lines: Iterable[PathLine]) -> list[PathLine]:
    """Leave out that a task is done where the line before says what it did."""
    kept: list[PathLine] = []
    for line in lines:
        if not (line.sign == "passed" and kept and kept[-1].key == line.key):
            kept.append(line)
    return kept


def _step(event: AuditEvent, step: Step) -> PathLine:
    state = event.kind.partition(".")[2]
    sign = step_label(state, step.kind, 0, function=step.function, caught=step.caught)
    return PathLine(
        event.at,
        step.key,
        title(step.kind, step.name, step.function),
        _done(step),
        sign,
        _depth(step.key),
        inside(step.key),
        step.id,
    )


def _done(step: Step) -> str:
    if step.kind == "wait":
        return "waited"
    return step.function or step.kind


def _noted(at: datetime, text: str) -> PathLine:
    key, _, words = text.partition(" ")
    first = words.partition(" ")[0]
    sign = first if first in {"took", "skipped", "caught", "iteration"} else "passed"
    return PathLine(at, key, name_of(key), words or "done", sign, _depth(key), inside(key))


def _depth(key: str) -> int:
    """Return how many lists of tasks are around the task."""
    return min(max(key.count("/") // 2 - 1, 0), DEEPEST)
