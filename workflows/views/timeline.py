"""The timeline of a run: a row per step, a bar per attempt; waiting and back-off drawn differently; idle time folded.

Positions are per cent of the width, as text for SVG attributes: no style attribute, no script, and the words never
stretch. Idle spans longer than a minute take a fixed part of the width, so that retries days apart stay readable.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import floor, log10
from typing import Any

from workflows.templatetags.display import describe_label, seconds_text
from workflows.views.axis_labels import Mark, labelled
from workflows.views.ordering import ordered

IDLE_SECONDS = 60.0
FOLD_WIDTH = 0.075
MAX_FOLDS = 6
TICK_COUNT = 6
MAX_ROWS = 200
TICK_STEPS = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1800,
    3600,
    7200,
    21600,
    43200,
    86400,
)
THINNEST = 0.35
HALF = 50
SMALLEST = 1e-9
DONE = frozenset(["succeeded", "cancelled", "skipped"])
WAITS = frozenset(["wait", "listen", "run", "join"])
WAITING_FUNCTIONS = ("approval:", "map:", "wait-until:")
# A deadline that was kept and the end of a fork are not worth a row.
QUIET = frozenset(["timer", "join"])


@dataclass(frozen=True)
class Bar:
    """A span of a row in seconds since the start: an attempt, queueing, back-off, waiting or a deadline."""

    kind: str
    start: float
    end: float
    title: str
    tone: str = ""
    number: str = ""


@dataclass(frozen=True)
class Drawn:
    """A bar with its place; `late`: it begins in the right half, so that words beside it go to the left."""

    bar: Bar
    x: str
    width: str
    end: str
    middle: str
    numbered: bool
    late: bool


@dataclass(frozen=True)
class Row:
    """A step on the timeline, with the same in words for those who cannot see it."""

    step: Any
    bars: list[Drawn]
    words: str
    seconds: float | None


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


@dataclass
class Scale:
    """A piece-wise time axis: maps seconds to per cent, with idle spans folded."""

    end: float
    busy: Iterable[tuple[float, float]]
    fold: bool = True
    folds: list[tuple[float, float]] = field(init=False)
    unit: float = field(init=False)

    def __post_init__(self) -> None:
        gaps = _gaps(self.busy, self.end) if self.fold else []
        widest = sorted(gaps, key=lambda gap: gap[0] - gap[1])[:MAX_FOLDS]
        self.folds = sorted(widest)
        shown = self.end - sum(end - start for start, end in self.folds)
        if shown < self.end * SMALLEST:  # nothing but waiting: there is nothing to make room for
            self.folds, shown = [], self.end
        self.unit = (1 - FOLD_WIDTH * len(self.folds)) / (shown or 1.0)

    def __call__(self, at: float) -> float:
        """Return the place of a moment in per cent."""
        place, cursor = 0.0, 0.0
        for start, end in self.folds:
            if at <= start:
                break
            place += (start - cursor) * self.unit
            if at < end:
                return (place + FOLD_WIDTH * (at - start) / (end - start)) * 100
            place, cursor = place + FOLD_WIDTH, end
        return (place + (at - cursor) * self.unit) * 100


def build(run: Any, now: datetime, *, fold: bool = True) -> Timeline:
    """Lay out the steps of a run. Bars of what is still open end `now`; `fold=False` keeps the true scale."""
    if run.state == "failed":  # it rests until a person comes, maybe for days: that is not part of the picture
        now = max([run.created_at, *filter(None, (step.finished_at for step in run.steps))])
    end = ((run.finished_at or now) - run.created_at).total_seconds()
    told = [step for step in run.steps if step.state not in DONE or not _quiet(step)]
    steps = ordered([step for index, step in enumerate(told) if index < MAX_ROWS or step.state not in DONE])
    bars = {step.id: list(_bars(step, run.created_at, now)) for step in steps}
    latest = max([end, 0.05, *(bar.end for row in bars.values() for bar in row)])
    busy = [(bar.start, bar.end) for row in bars.values() for bar in row if bar.kind in {"attempt", "queued"}]
    scale = Scale(latest, busy, fold)
    folds, ticks = labelled([_fold(scale, *span) for span in scale.folds], _ticks(scale))
    return Timeline(
        rows=[_row(step, bars[step.id], scale) for step in steps],
        left_out=run.steps_total - sum(not _quiet(step) for step in steps),
        ticks=ticks,
        folds=folds,
        labels=[mark for mark in (*ticks, *folds) if mark.room],
        seconds=latest,
        kinds=frozenset(bar.kind if bar.kind != "attempt" else bar.tone for row in bars.values() for bar in row),
    )


def _quiet(step: Any) -> bool:
    """Tell whether a step is worth a row only while it is open; an undo without a function only begins the undo."""
    return step.kind in QUIET or (step.kind == "undo" and not step.function)


def _bars(step: Any, origin: datetime, now: datetime) -> Iterable[Bar]:
    def at(moment: datetime) -> float:
        return max((moment - origin).total_seconds(), 0.0)

    if step.kind == "timer":
        yield _deadline(step, at(step.created_at), at(step.finished_at or now))
        return
    if step.kind in WAITS or step.function.startswith(WAITING_FUNCTIONS):
        yield _waiting(at(step.created_at), at(step.finished_at or now))  # `started_at` is when a worker noticed
        return
    spans = _attempts(step, now)
    previous = at(step.created_at)
    for index, (number, label, start, end) in enumerate(spans):
        if at(start) > previous:
            kind, title = ("backoff", "back-off") if index else ("queued", "queued for")
            yield Bar(kind, previous, at(start), f"{title} {seconds_text(at(start) - previous)}")
        name, tone = describe_label(label)
        title = f"attempt {number} {name.lower()}, {seconds_text(at(end) - at(start))}"
        yield Bar("attempt", at(start), at(end), title, tone, str(number) if len(spans) > 1 else "")
        previous = at(end)
    if step.state == "ready" and spans:
        until = max(at(step.due_at), previous)
        yield Bar("backoff", previous, until, f"next attempt after {seconds_text(until - previous)}")


def _deadline(step: Any, start: float, end: float) -> Bar:
    passed = step.state == "failed"
    words = "passed" if passed else "due"
    return Bar("deadline", start, max(end, start), f"{words} {_moment(step.due_at)}", "failed" if passed else "")


def _moment(at: datetime) -> str:
    local = at.astimezone(UTC)
    return f"{local.day} {local:%b, %H:%M:%S}"


def _waiting(start: float, end: float) -> Bar:
    return Bar("wait", start, max(end, start), f"waiting {seconds_text(end - start)}")


def _attempts(step: Any, now: datetime) -> list[tuple[int, str, datetime, datetime]]:
    """Return (number, label, start, end) of every attempt; a quiet first success has only the step's own times."""
    spans = [
        (attempt.number, attempt.outcome, attempt.started_at or attempt.finished_at, attempt.finished_at)
        for attempt in sorted(step.attempts, key=lambda attempt: attempt.number)
    ]
    last = spans[-1] if spans else None
    if step.state == "running" and step.started_at:
        spans.append(((last[0] + 1 if last else 1), "running", step.started_at, now))
    elif step.state == "succeeded" and step.started_at and step.finished_at and (not last or last[1] != "succeeded"):
        spans.append(((last[0] + 1 if last else 1), "succeeded", step.started_at, step.finished_at))
    return spans


def _row(step: Any, bars: Sequence[Bar], scale: Scale) -> Row:
    seconds = bars[-1].end - bars[0].start if bars and step.kind != "timer" else None
    return Row(step, [_place(bar, scale) for bar in bars], "; ".join(bar.title for bar in bars) or "not begun", seconds)


def _place(bar: Bar, scale: Scale) -> Drawn:
    x = min(scale(bar.start), 100 - THINNEST)
    width = max(scale(bar.end) - x, THINNEST)
    numbered = bool(bar.number) and width > 2
    return Drawn(bar, _cent(x), _cent(width), _cent(x + width), _cent(x + width / 2), numbered, x > HALF)


def _gaps(busy: Iterable[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Return the spans longer than a minute in which nothing runs."""
    gaps, cursor = [], 0.0
    for start, stop in [*sorted(busy), (end, end)]:
        if start - cursor > IDLE_SECONDS:
            gaps.append((cursor, start))
        cursor = max(cursor, stop)
    return gaps


def _fold(scale: Scale, start: float, end: float) -> Mark:
    x, right = scale(start), scale(end)
    return Mark(x, f"{seconds_text(end - start)} idle", right - x)


def _ticks(scale: Scale) -> list[Mark]:
    """Return round moments that are not inside or beside a fold and not too close to each other."""
    shown = scale.end - sum(end - start for start, end in scale.folds)
    step = next((size for size in TICK_STEPS if shown / size <= TICK_COUNT), TICK_STEPS[-1])
    marks: list[Mark] = []
    last = -100.0
    for moment in _moments(scale, step):
        x = scale(moment)
        if x - last < 8 or x > 97 or any(scale(start) - 6 < x < scale(end) + 4 for start, end in scale.folds):
            continue
        marks.append(Mark(x, _clock(moment, step)))
        last = x
    return marks


def _moments(scale: Scale, step: float) -> Iterable[float]:
    """Yield multiples of `step` outside the folds; their number is bounded because the shown time is."""
    edges = [0.0, *(edge for span in scale.folds for edge in span), scale.end]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        index = int(start // step)
        while index * step <= end and (index * step - start) / step < 2 * TICK_COUNT:
            if index * step >= start:
                yield index * step
            index += 1


def _clock(seconds: float, step: float) -> str:
    """Return a moment since the start: `0:10`, `1:02:00`, or `400 ms` where the axis is that short."""
    if seconds and step < 1 <= seconds:  # as many digits as tell it from its neighbours
        return f"{seconds:.{max(1, -floor(log10(step)))}f} s"
    if step < 1:
        return seconds_text(seconds) if seconds else "0"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _cent(value: float) -> str:
    return f"{value:.2f}%"
