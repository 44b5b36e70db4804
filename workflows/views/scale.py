"""The time axis of a run: seconds become per cent of the width, idle spans take a fixed part of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import floor, log10

from django.utils.translation import gettext as _

from workflows.templatetags.display import seconds_text
from workflows.views.axis_labels import Mark

IDLE_SECONDS = 60.0
FOLD_WIDTH = 0.075
MAX_FOLDS = 6
TICK_COUNT = 6
TICK_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400),
)
SMALLEST = 1e-9


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
        shown = self.shown
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

    @property
    def shown(self) -> float:
        """Return how many seconds are not folded."""
        return self.end - sum(end - start for start, end in self.folds)


def fold_marks(scale: Scale) -> list[Mark]:
    """Return a mark for each folded span."""
    return [_fold(scale, start, end) for start, end in scale.folds]


def tick_marks(scale: Scale) -> list[Mark]:
    """Return round moments that are not inside or beside a fold and not too close to each other."""
    step = next((size for size in TICK_STEPS if scale.shown / size <= TICK_COUNT), TICK_STEPS[-1])
    marks: list[Mark] = []
    last = -100.0
    for moment in _moments(scale, step):
        x = scale(moment)
        if x - last < 8 or x > 97 or any(scale(start) - 6 < x < scale(end) + 4 for start, end in scale.folds):
            continue
        marks.append(Mark(x, _clock(moment, step)))
        last = x
    return marks


def union_seconds(spans: Iterable[tuple[float, float]]) -> float:
    """Return how long at least one of the spans lasted."""
    total, cursor = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(end - max(start, cursor), 0.0)
        cursor = max(cursor, end)
    return total


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
    return Mark(x, _("%(took)s idle") % {"took": seconds_text(end - start)}, right - x)


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
