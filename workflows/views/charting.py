"""From counts to charts: how a window is cut into columns in the reader's zone, and what a chart finds."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from workflows.queries import rollups
from workflows.queries.rollups import Span
from workflows.rollups import slots
from workflows.templatetags.charts import Column, Columns, Histogram, Mark, Series, Tick
from workflows.templatetags.display import moment_text, number, percent, seconds_text

MINUTE, HOUR, DAY = 60, 3_600, 86_400
# How long each window is, how wide its columns are, and from which rollups they are made, in seconds.
WINDOWS = {
    "1h": (HOUR, 5 * MINUTE, 5 * MINUTE),
    "24h": (DAY, 30 * MINUTE, 5 * MINUTE),
    "7d": (7 * DAY, 4 * HOUR, HOUR),
    "30d": (30 * DAY, DAY, HOUR),
}
WIDTHS = {
    300: gettext_lazy("per 5 minutes"),
    1_800: gettext_lazy("per 30 minutes"),
    3_600: gettext_lazy("per hour"),
    14_400: gettext_lazy("per 4 hours"),
    86_400: gettext_lazy("per day"),
}
OUTCOMES = (
    Series("succeeded", gettext_lazy("Succeeded"), "succeeded"),  # type: ignore[arg-type]  # said when it is shown
    Series("failed", gettext_lazy("Failed"), "failed"),  # type: ignore[arg-type]
    Series("cancelled", gettext_lazy("Cancelled"), "cancelled"),  # type: ignore[arg-type]
)
FAILED = OUTCOMES[1:2]
TICKS = 4
MARGIN = 2  # slots beside the fastest and the slowest


@dataclass(frozen=True)
class Frame:
    """A window cut into columns: when each begins, and when the last one ends."""

    window: str
    width: int
    span: int
    begins: Sequence[datetime]
    ends_at: datetime

    @property
    def begins_at(self) -> datetime:
        """Return when the first column begins."""
        return self.begins[0]

    @property
    def count(self) -> int:
        """Return how many columns there are."""
        return len(self.begins)

    @property
    def per(self) -> str:
        """Return how wide a column is, in words."""
        return str(WIDTHS[self.width])

    def column(self, at: datetime) -> int:
        """Return the column of a moment, -1 before the first."""
        return bisect_right(self.begins, at) - 1

    def title(self, index: int) -> str:
        """Return what a column is about."""
        begins = self.begins[index]
        if self.width >= DAY:
            return moment_text(begins, "day")
        day = "" if self.window in ("1h", "24h") else f"{moment_text(begins, 'day')}, "
        ends = self.begins[index + 1] if index + 1 < len(self.begins) else self.ends_at
        return f"{day}{_clock(begins)}\u2013{_clock(ends)}"

    def ticks(self) -> list[Tick]:
        """Return a few moments below the columns; the last one is now."""
        count = len(self.begins)
        step = max(1, round(count / TICKS))
        named = [index for index in range(0, count, step) if index / count < 0.9]
        style = _clock if self.window in ("1h", "24h") else _day
        return [*(Tick(100 * index / count, style(self.begins[index])) for index in named), Tick(100, _("now"))]


def frame(window: str, now: datetime, *, least: int = 0) -> Frame:
    """Cut a window that ends now into columns that begin at round times of the reader; `least` bounds their width."""
    length, width, span = WINDOWS[window]
    width = max(width, least)
    local = timezone.localtime(now)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    last = midnight + timedelta(seconds=(local - midnight).total_seconds() // width * width)
    count = -(-length // width)
    begins = [_earlier(last, index * width) for index in reversed(range(count))]
    return Frame(window, width, max(span, least), begins, now)


def outcomes(frame: Frame, spans: Iterable[Span]) -> Columns:
    """Return the chart of what ended."""
    found = totals(frame, spans)
    return _columns(frame, OUTCOMES, found, _outcomes_finding(found))


def totals(frame: Frame, spans: Iterable[Span]) -> list[dict[str, int]]:
    """Return what ended in each column, by outcome."""
    found = [{"succeeded": 0, "failed": 0, "cancelled": 0} for _begins in frame.begins]
    for span in spans:
        index = frame.column(span.begins_at)
        if index >= 0:
            for name in found[index]:
                found[index][name] += getattr(span, name)
    return found


def durations_by_column(frame: Frame, spans: Iterable[Span]) -> list[list[int]]:
    """Return how long what succeeded took, in slots, for each column."""
    found: list[list[Sequence[int]]] = [[] for _begins in frame.begins]
    for span in spans:
        index = frame.column(span.begins_at)
        if index >= 0:
            found[index].append(span.durations)
    return [rollups.added(each) for each in found]


def failures(frame: Frame, hours: Mapping[datetime, int], now: datetime) -> Columns:
    """Return the chart of how often a group of failures happened."""
    counts = [{"failed": 0} for _begins in frame.begins]
    for at, count in hours.items():
        index = frame.column(min(at, now))
        if index >= 0:
            counts[index]["failed"] += count
    count = sum(each["failed"] for each in counts)
    finding = ngettext("%(count)s failure", "%(count)s failures", count) % {"count": number(count)}
    return _columns(frame, FAILED, counts, finding)


def durations(counts: Sequence[int]) -> Histogram:
    """Return the histogram of how long what succeeded took, on a log scale."""
    used = [index for index, count in enumerate(counts) if count]
    if not used:
        return Histogram(_("nothing ended in this time"), _("Took"), _("runs"), [])
    first, last = max(0, used[0] - MARGIN), min(slots.COUNT, used[-1] + 1 + MARGIN)
    p50, p95 = (slots.percentile(counts, share) or 0.0 for share in (0.5, 0.95))

    def at(milliseconds: float) -> float:
        return (slots.place(milliseconds) - first) / (last - first) * 100

    words = {"p50": rough(p50), "p95": rough(p95)}
    return Histogram(
        _("half took up to %(p50)s, 95 %% took up to %(p95)s") % words,
        _("Took"),
        _("runs"),
        [
            (f"{rough(slots.begins(slot))}\u2013{rough(slots.begins(slot + 1))}", counts[slot])
            if slot < len(counts)
            else (f"{rough(slots.begins(slot))}\u2013{rough(slots.begins(slot + 1))}", 0)
            for slot in range(first, last)
        ],
        [Mark(at(p50), f"p50 {words['p50']}"), Mark(at(p95), f"p95 {words['p95']}")],
        [Tick((slot - first) / (last - first) * 100, rough(slots.begins(slot))) for slot in _spread(first, last)],
    )


def levels(frame: Frame, names: Sequence[str], *, span: int) -> dict[str, list[float]]:
    """Return what gauges showed at most in each column; columns without a sample are 0."""
    found = {name: [0.0] * len(frame.begins) for name in names}
    for name, index, highest in rollups.highest(names, frame.begins_at, span=span, width=frame.width):
        found[name][min(index, len(frame.begins) - 1)] = highest
    return found


def change(now: float | None, before: float | None) -> Any:
    """Return by how much something changed, as (sign, words); nothing when it is not known."""
    if now is None or before is None:
        return None
    sign = "\u25b2" if now > before * 1.02 else "\u25bc" if now < before * 0.98 else "="
    return sign, rough(abs(now - before))


def rough(milliseconds: float) -> str:
    """Return a duration of which only two digits are known."""
    digits = 2 if milliseconds >= 10 else 1
    rough = float(f"{milliseconds:.{digits}g}")
    return seconds_text(rough / 1_000)


def recent(window: str, now: datetime) -> tuple[datetime, datetime]:
    """Return since when the window before this one lasted, and until when."""
    length = timedelta(seconds=WINDOWS[window][0])
    return now - 2 * length, now - length


def spans(window: str, since: datetime, until: datetime) -> list[Span]:
    """Return what ended in a time, as rollups of the window's span."""
    return list(rollups.spans(since, until, span=WINDOWS[window][2]).values())


def _columns(frame: Frame, series: Sequence[Series], totals: Sequence[Mapping[str, int]], finding: str) -> Columns:
    columns = [Column(frame.title(index), parts) for index, parts in enumerate(totals)]
    return Columns(finding, _("When"), series, columns, frame.ticks())


def _outcomes_finding(totals: Sequence[Mapping[str, int]]) -> str:
    sums = {each.key: sum(total[each.key] for total in totals) for each in OUTCOMES}
    count = sum(sums.values())
    if not count:
        return _("nothing ended in this time")
    said = {name: number(value) for name, value in sums.items()}
    said |= {"count": number(count), "share": percent(sums["succeeded"] / count)}
    return _("%(count)s ended: %(succeeded)s succeeded (%(share)s), %(failed)s failed, %(cancelled)s cancelled") % said


def _earlier(moment: datetime, seconds: int) -> datetime:
    """Return a local time so much earlier on the clock of days, so that a day that is an hour longer is one column."""
    days, rest = divmod(seconds, DAY)
    return moment - timedelta(days=days) - timedelta(seconds=rest)


def _spread(first: int, last: int) -> list[int]:
    """Return a few slots, the first and the last among them, that begin with a doubling where there is room."""
    step = max(slots.PER_OCTAVE, -(-(last - first) // TICKS))
    return [*range(first, last - 3 * step // 4, step), last]


def _clock(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%H:%M}"


def _day(moment: datetime) -> str:
    return moment_text(moment, "day")
