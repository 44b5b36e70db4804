"""Charts as SVG made on the server: places are attributes in per cent, so they fit any width and any strict policy.

Each says what it finds in its label, names each part on hover, and has the same numbers as a table.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workflows.templatetags.display import number

register = template.Library()

LEFT, HEIGHT, TOP = 7.0, 142.0, 6.0  # per cent for the numbers of the axis; pixels of the plot and above it
HILL, CEILING = 128.0, 20.0  # the same of a histogram, with room for the names of its marks
SPARK_WIDTH, SPARK_HEIGHT = 100, 28
GRID = 4
NEAR = 9  # per cent of the width within which the text of a mark would leave the chart
MOST_ROWS = 60  # of a sparkline's points that are drawn: the rest is averaged


@dataclass(frozen=True)
class Series:
    """What the parts of a column of one kind are: `tone` is a status key."""

    key: str
    word: str
    tone: str


@dataclass(frozen=True)
class Column:
    """A column: `title` says what it is about, `parts` how much of each series."""

    title: str
    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Return how high it is."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Tick:
    """A text below a chart: where, in per cent of the plot."""

    at: float
    text: str

    @property
    def anchor(self) -> str:
        """Return which part of the text stands there."""
        return "start" if self.at < NEAR / 3 else "end" if self.at > 100 - NEAR / 3 else "middle"


@dataclass(frozen=True)
class Columns:
    """A chart of stacked columns. `finding` says in a sentence what it shows; `first` heads the table's titles."""

    finding: str
    first: str
    series: Sequence[Series]
    columns: Sequence[Column]
    ticks: Sequence[Tick] = field(default_factory=tuple)


@dataclass(frozen=True)
class Mark:
    """A dashed line through a histogram, in per cent of its width."""

    at: float
    text: str


@dataclass(frozen=True)
class Histogram:
    """Bars side by side, those behind the last mark in another colour."""

    finding: str
    first: str
    unit: str
    bars: Sequence[tuple[str, int]]
    marks: Sequence[Mark] = field(default_factory=tuple)
    ticks: Sequence[Tick] = field(default_factory=tuple)


@register.simple_tag
def sparkline(
    values: Sequence[float], label: str = "", tone: str = "", words: Sequence[str] | None = None
) -> SafeString:
    """Draw how something went, the newest at the right; `label` says of what, `words` how each value is said.

    Without values there is no picture.
    """
    points = _thinned(values)
    if len(points) < 2:
        return format_html('<span class="spark none">{}</span>', _("no history yet")) if label else SafeString("")
    high = max(points) or 1
    places = [
        (index * SPARK_WIDTH / (len(points) - 1), SPARK_HEIGHT - 2 - value / high * (SPARK_HEIGHT - 5))
        for index, value in enumerate(points)
    ]
    line = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    said = words or [number(round(value, 1)) for value in values]
    found = _("%(label)s: now %(last)s, at most %(most)s") % {
        "label": label,
        "last": said[-1],
        "most": said[max(range(len(values)), key=values.__getitem__)],
    }
    return format_html(
        '<svg class="spark" data-s="{}" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<title>{}</title><path class="a" d="{line} L{w} {h} L0 {h}Z"/><path class="l" d="{line}"/></svg>',
        tone,
        found,
        found,
        w=SPARK_WIDTH,
        h=SPARK_HEIGHT,
        line=line,
    )


@register.inclusion_tag("charts/_columns.html")
def columns(chart: Columns, table: str = "details") -> dict[str, Any]:
    """Draw stacked columns. `table`: "details" to unfold, "open" below the picture, "none" when it is elsewhere."""
    steps = _steps(max((column.total for column in chart.columns), default=0))
    top = steps[-1]
    return {
        "chart": chart,
        "table": table,
        "grid": [(f"{TOP + HEIGHT * (1 - step / top):.1f}", number(step), index == 0) for index, step in _rows(steps)],
        "left": f"{LEFT}%",
        "numbers": f"{LEFT - 1}%",
        "floor": f"{TOP + HEIGHT + 16:.1f}",
        "drawn": [_column(chart, index, top) for index in range(len(chart.columns))],
        "ticks": [(f"{LEFT + tick.at * (100 - LEFT) / 100:.2f}%", tick) for tick in chart.ticks],
        "rows": [(column.title, [column.parts.get(each.key, 0) for each in chart.series]) for column in chart.columns],
    }


@register.inclusion_tag("charts/_histogram.html")
def histogram(chart: Histogram, table: str = "details") -> dict[str, Any]:
    """Draw a histogram; `table` as of columns."""
    high, count = max((size for _title, size in chart.bars), default=0) or 1, len(chart.bars) or 1
    hot = chart.marks[-1].at if chart.marks else 101.0
    return {
        "chart": chart,
        "table": table,
        "floor": f"{HILL + CEILING:.1f}",
        "below": f"{HILL + CEILING + 16:.1f}",
        "bars": [
            {
                "x": f"{index * 100 / count + 0.2:.2f}%",
                "width": f"{max(100 / count - 0.4, 0.2):.2f}%",
                "y": f"{HILL + CEILING - size / high * HILL:.1f}",
                "height": f"{size / high * HILL:.1f}",
                "hot": index * 100 / count >= hot,
                "title": title,
                "size": size,
            }
            for index, (title, size) in enumerate(chart.bars)
            if size
        ],
        "marks": [(f"{mark.at:.2f}%", _anchor(chart.marks, index), mark) for index, mark in enumerate(chart.marks)],
        "ticks": [(f"{tick.at:.2f}%", tick) for tick in chart.ticks],
        "rows": chart.bars,
    }


def _column(chart: Columns, index: int, top: float) -> dict[str, Any]:
    """Place the parts of a column upon each other."""
    column, width = chart.columns[index], (100 - LEFT) / len(chart.columns)
    place, bars = TOP + HEIGHT, []
    for each in chart.series:
        height = column.parts.get(each.key, 0) / top * HEIGHT
        if height:
            place -= height
            bars.append((each.tone, f"{place:.1f}", f"{max(height - 0.6, 0.8):.1f}"))
    said = ", ".join(f"{number(column.parts.get(each.key, 0))} {each.word.lower()}" for each in chart.series)
    return {
        "title": f"{column.title}: {said}",
        "x": f"{LEFT + index * width + width * 0.14:.2f}%",
        "width": f"{width * 0.72:.2f}%",
        "all_x": f"{LEFT + index * width:.2f}%",
        "all_width": f"{width:.2f}%",
        "bars": bars,
    }


def _steps(highest: int) -> list[int]:
    """Return round whole numbers from 0 to at least the highest."""
    rough = max(highest / GRID, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
    return [index * step for index in range(max(1, math.ceil(highest / step)) + 1)]


def _rows(steps: Sequence[int]) -> list[tuple[int, int]]:
    return list(enumerate(steps))


def _anchor(marks: Sequence[Mark], index: int) -> str:
    """Return which part of a mark's text stands at its line: texts of two near lines lean away from each other."""
    at = marks[index].at
    if len(marks) > 1 and abs(marks[-1].at - marks[0].at) < 2 * NEAR:
        return "end" if (index == 0 and at > NEAR) or at > 100 - NEAR else "start"
    return "start" if at < NEAR else "end" if at > 100 - NEAR else "middle"


def _thinned(values: Sequence[float]) -> list[float]:
    """Return so few points as are seen, each the highest of those that it stands for."""
    size = -(-len(values) // MOST_ROWS) or 1
    return [max(values[start : start + size]) for start in range(0, len(values), size)]
