"""The timeline of a run: a row per step, a bar per attempt; waiting and back-off drawn differently; idle time folded.

Positions are per cent of the width, as text for SVG attributes: no style attribute, no script, and the words never
stretch. Idle spans longer than a minute take a fixed part of the width, so that retries days apart stay readable. Rows
stand below the blocks around them; a long loop is one row until somebody opens it, with what went wrong in it below.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from workflows.views.axis_labels import Mark, labelled
from workflows.views.bars import Bar, attempts, bars, waits
from workflows.views.grouping import Group, Place, place, top
from workflows.views.ordering import ordered
from workflows.views.scale import Scale, fold_marks, tick_marks, union_seconds

MAX_ROWS = 200
LOOP_ROWS = 8  # a loop with more steps is folded
THINNEST = 0.35
NEAR = 0.15  # per cent between bars of one tone that are drawn as one in a folded loop
HALF = 50
DEEPEST = 5
LOOPS = frozenset(["for", "listen"])
DONE = frozenset(["succeeded", "cancelled", "skipped"])
AHEAD = frozenset(["pending", "running", "waiting", "suspended", "failed"])
# A deadline that was kept and the end of a fork are not worth a row.
QUIET = frozenset(["timer", "join"])
SOUND = frozenset(["succeeded", "superseded", "running"])


@dataclass(frozen=True, slots=True)
class Drawn:
    """A bar with its place; `late`: it begins in the right half, so that words beside it go to the left."""

    bar: Bar
    x: str
    width: str
    end: str
    middle: str
    numbered: bool
    late: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the timeline, with the same in words for those who cannot see it: a step, a block around steps, or a
    task that was not reached. `count` says how often a loop went round, `folded`: its steps are not shown.
    """

    depth: int
    name: str
    bars: list[Drawn]
    words: str = ""
    seconds: float | None = None
    step: Any = None
    group: Group | None = None
    turn: str = ""
    count: int = 0
    loop: bool = False
    folded: bool = False


@dataclass(frozen=True)
class Timeline:
    """Everything that the template draws."""

    rows: list[Row]
    left_out: int
    ticks: list[Mark]
    folds: list[Mark]
    labels: list[Mark]
    seconds: float
    kinds: frozenset[str]
    problems: int


@dataclass(frozen=True)
class Asked:
    """What the reader wants to see: idle time folded, problems only, all rows, the loops that are open."""

    fold: bool = True
    problems: bool = False
    all: bool = False
    open: Collection[str] = ()
    step: str = ""


@dataclass
class _Sheet:
    """Steps with their bars and places, while they become rows."""

    asked: Asked
    scale: Scale
    bars: dict[Any, list[Bar]]
    places: dict[Any, Place]
    members: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    folded: set[str] = field(default_factory=set)


def build(run: Any, now: datetime, asked: Asked | None = None) -> Timeline:
    """Lay out the steps of a run. Bars of what is still open end `now`."""
    asked, now = asked or Asked(), stopped(run, now)
    told = [step for step in run.steps if step.state not in DONE or not _quiet(step)]
    wrong = [step for step in told if problem(step)]
    steps = ordered(_limited(wrong if asked.problems else told, everything=asked.all))
    drawn = {step.id: list(bars(step, run.created_at, now)) for step in steps}
    end = ((run.finished_at or now) - run.created_at).total_seconds()
    latest = max([end, 0.05, *(bar.end for row in drawn.values() for bar in row)])
    busy = [(bar.start, bar.end) for row in drawn.values() for bar in row if bar.kind in {"attempt", "queued"}]
    sheet = _sheet(steps, drawn, Scale(latest, busy, asked.fold), asked)
    folds, ticks = labelled(fold_marks(sheet.scale), tick_marks(sheet.scale))
    left_out = 0 if asked.problems else run.steps_total - sum(not _quiet(step) for step in steps)
    return Timeline(
        rows=[*_rows(steps, sheet), *(Row(0, name, []) for name in ([] if asked.problems else not_reached(run)))],
        left_out=left_out,
        ticks=ticks,
        folds=folds,
        labels=[mark for mark in (*ticks, *folds) if mark.room],
        seconds=latest,
        kinds=frozenset(bar.kind if bar.kind != "attempt" else bar.tone for row in drawn.values() for bar in row),
        problems=len(wrong),
    )


def active_seconds(run: Any, now: datetime) -> float:
    """Return for how long at least one step of a run was being worked on."""
    now = stopped(run, now)
    spans = [each for step in run.steps if step.kind != "timer" and not waits(step) for each in attempts(step, now)]
    return union_seconds((each.start.timestamp(), each.end.timestamp()) for each in spans)


def stopped(run: Any, now: datetime) -> datetime:
    """Return until when a run went on: a failed one rests until a person comes, maybe for days."""
    if run.state != "failed":
        return now
    moments: list[datetime] = [run.created_at, *(step.finished_at for step in run.steps if step.finished_at)]
    return max(moments)


def problem(step: Any) -> bool:
    """Tell whether something went wrong with a step, even if it went well in the end."""
    tried = [each.outcome for each in step.attempts]
    return step.state == "failed" or len(tried) > 1 or not SOUND.issuperset(tried) or step.label == "retrying"


def not_reached(run: Any) -> list[str]:
    """Return the tasks of the workflow behind the last one that has begun."""
    if run.state not in AHEAD:
        return []
    last = max((top(step.key) for step in run.steps), default=-1)
    return list(run.tasks[last + 1 :])


def _quiet(step: Any) -> bool:
    """Tell whether a step is worth a row only while it is open; an undo without a function only begins the undo."""
    return step.kind in QUIET or (step.kind == "undo" and not step.function)


def _limited(steps: list[Any], *, everything: bool) -> list[Any]:
    if everything:
        return steps
    return [step for index, step in enumerate(steps) if index < MAX_ROWS or step.state not in DONE]


def _sheet(steps: Sequence[Any], drawn: dict[Any, list[Bar]], scale: Scale, asked: Asked) -> _Sheet:
    sheet = _Sheet(asked, scale, drawn, {step.id: place(step.key) for step in steps})
    for step in steps:
        for group in sheet.places[step.id].groups:
            sheet.members[group.key].append(step)
            if group.kind in LOOPS and len(sheet.members[group.key]) > LOOP_ROWS and group.key not in asked.open:
                sheet.folded.add(group.key)
    return sheet


def _rows(steps: Sequence[Any], sheet: _Sheet) -> Iterable[Row]:
    around: tuple[Group, ...] = ()
    for step in steps:
        groups, shown = _around(step, around, sheet)
        if step.kind == "join" and step.state != "failed" and step.key in sheet.members:
            continue  # the row of the fork says it
        for depth in range(_shared(around, groups), len(groups)):
            yield _group_row(groups[depth], depth, sheet)
        around = groups
        if shown:
            yield _step_row(step, min(len(groups), DEEPEST), sheet)


def _around(step: Any, around: tuple[Group, ...], sheet: _Sheet) -> tuple[tuple[Group, ...], bool]:
    """Return the groups around a step, down to the first that is folded, and whether it gets a row all the same."""
    groups = sheet.places[step.id].groups
    if step.kind in {"undo", "timer"}:
        groups = groups[: _shared(around, groups)]
    closed = next((at for at, group in enumerate(groups) if group.key in sheet.folded), None)
    loud = problem(step) or step.state not in DONE or str(step.id) == sheet.asked.step
    if closed is None or loud:
        return groups, True
    return groups[: closed + 1], False


def _shared(one: tuple[Group, ...], other: tuple[Group, ...]) -> int:
    """Return how many groups are around both."""
    same = [left.key == right.key for left, right in zip(one, other, strict=False)]
    return same.index(False) if False in same else len(same)


def _step_row(step: Any, depth: int, sheet: _Sheet) -> Row:
    found = sheet.bars[step.id]
    seconds = found[-1].end - found[0].start if found and step.kind != "timer" else None
    words = "; ".join(bar.title for bar in found)
    drawn = [_drawn(bar, sheet.scale) for bar in found]
    return Row(depth, step.title, drawn, words, seconds, step, turn=sheet.places[step.id].turn)


def _group_row(group: Group, depth: int, sheet: _Sheet) -> Row:
    members = sheet.members[group.key]
    found = [bar for step in members if step.kind != "timer" for bar in sheet.bars[step.id]]
    start, end = min((bar.start for bar in found), default=0), max((bar.end for bar in found), default=0)
    folded = group.key in sheet.folded
    shown = _cells(found, sheet.scale) if folded else [_drawn(Bar("block", start, end, group.name), sheet.scale)]
    turns = {sheet.places[step.id].turns[depth] for step in members} if group.kind in LOOPS else set()
    loop = folded or group.key in sheet.asked.open
    return Row(
        min(depth, DEEPEST), group.name, shown, seconds=end - start, group=group,
        count=len(turns), loop=loop, folded=folded,
    )  # fmt: skip


def _cells(found: Iterable[Bar], scale: Scale) -> list[Drawn]:
    """Return the attempts and waits of a folded loop, those of one tone drawn as one where they touch."""
    cells: list[Bar] = []
    for bar in sorted((bar for bar in found if bar.kind in {"attempt", "wait"}), key=lambda bar: bar.start):
        last = cells[-1] if cells else None
        if last and (last.kind, last.tone) == (bar.kind, bar.tone) and scale(bar.start) - scale(last.end) < NEAR:
            cells[-1] = Bar(bar.kind, last.start, max(last.end, bar.end), "", bar.tone)
        else:
            cells.append(Bar(bar.kind, bar.start, bar.end, "", bar.tone))
    return [_drawn(bar, scale) for bar in cells]


def _drawn(bar: Bar, scale: Scale) -> Drawn:
    x = min(scale(bar.start), 100 - THINNEST)
    width = max(scale(bar.end) - x, THINNEST)
    numbered = bool(bar.number) and width > 2
    return Drawn(bar, _cent(x), _cent(width), _cent(x + width), _cent(x + width / 2), numbered, x > HALF)


def _cent(value: float) -> str:
    return f"{value:.2f}%"
