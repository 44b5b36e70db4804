"""What charts show, read from rollups and gauges: never from the rows of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest

from django.utils import timezone

from workflows.rollups import slots
from workflows.sql import Statement

FIVE_MINUTES, HOUR, DAY = 300, 3_600, 86_400
# From how long a window on wider spans are read: narrower ones are more exact, and more rows.
_WIDER = ((timedelta(days=3), DAY), (timedelta(hours=12), HOUR), (timedelta(0), FIVE_MINUTES))


@dataclass(frozen=True, slots=True)
class Performance:
    """How what ended did: counts by outcome, and how long what succeeded took, half of it and 95 % of it."""

    count: int
    succeeded: int
    failed: int
    cancelled: int
    p50_ms: float | None
    p95_ms: float | None

    @property
    def rate(self) -> float | None:
        """Return the share that succeeded; None when nothing ended."""
        return self.succeeded / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Span:
    """What ended in a span of time; `durations` counts what succeeded by slots."""

    begins_at: datetime
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    durations: Sequence[int] = field(default_factory=tuple)

    @property
    def count(self) -> int:
        """Return how much ended."""
        return self.succeeded + self.failed + self.cancelled


_COUNTS = Statement(
    """
    SELECT name, outcome, sum(count)::bigint FROM rollup
    WHERE span = :span AND subject = :subject AND begins_at >= :since GROUP BY name, outcome
    """
)
_DURATIONS = Statement(
    """
    SELECT name, array_agg(n ORDER BY slot) FROM (
        SELECT r.name, u.slot, sum(u.n)::bigint AS n FROM rollup r, unnest(r.durations) WITH ORDINALITY AS u (n, slot)
        WHERE r.span = :span AND r.subject = :subject AND r.begins_at >= :since AND r.outcome = 'succeeded'
        GROUP BY r.name, u.slot) slots
    GROUP BY name
    """
)
_SPANS = Statement(
    """
    SELECT begins_at, outcome, count, durations FROM rollup
    WHERE subject = :subject AND span = :span AND name = :name AND begins_at >= :since AND begins_at < :until
    ORDER BY begins_at
    """
)
_GAUGE = Statement(
    """
    SELECT queue, begins_at, total / greatest(samples, 1), highest FROM gauge
    WHERE span = :span AND name = ANY(:names::text[]) AND begins_at >= :since ORDER BY begins_at
    """
)
_HIGHEST = Statement(
    """
    SELECT name, floor(extract(epoch FROM begins_at - :since::timestamptz) / :width::int)::int, max(highest)
    FROM gauge WHERE span = :span AND name = ANY(:names::text[]) AND queue = '' AND begins_at >= :since::timestamptz
    GROUP BY 1, 2
    """
)
_COUNTED = Statement("SELECT counted_at FROM rollup_place")


def performance(kind: str, *, since: datetime) -> dict[str, Performance]:
    """Return how all workflows did (their runs), or all actions (their calls), by name; `kind` says which.

    A long window begins with the hour, or the day in UTC, in which it would begin.
    """
    span = span_of(timezone.now() - since)
    values = {"subject": kind, "span": span, "since": floor(since, span)}
    counts: dict[str, dict[str, int]] = {}
    for name, outcome, count in _COUNTS.rows(values):
        counts.setdefault(name, {})[outcome] = count
    durations = dict(_DURATIONS.rows(values))
    return {name: _performance(found, durations.get(name, ())) for name, found in counts.items()}


def spans(
    since: datetime, until: datetime, *, span: int, subject: str = "runs", name: str = ""
) -> dict[datetime, Span]:
    """Return what ended by the span in which it did; spans in which nothing ended are missing."""
    found: dict[datetime, dict[str, tuple[int, Sequence[int]]]] = {}
    values = {"subject": subject, "name": name, "span": span, "since": floor(since, span), "until": until}
    for begins_at, outcome, count, durations in _SPANS.rows(values):
        found.setdefault(begins_at, {})[outcome] = (count, durations)
    nothing: tuple[int, Sequence[int]] = (0, ())
    return {
        at: Span(
            begins_at=at,
            succeeded=by.get("succeeded", nothing)[0],
            failed=by.get("failed", nothing)[0],
            cancelled=by.get("cancelled", nothing)[0],
            durations=by.get("succeeded", nothing)[1],
        )
        for at, by in found.items()
    }


def gauges(names: Sequence[str], since: datetime, *, span: int) -> list[tuple[str, datetime, float, float]]:
    """Return (queue, when, mean, highest) of what was looked at, the oldest first."""
    return _GAUGE.rows({"names": list(names), "since": since, "span": span})


def highest(names: Sequence[str], since: datetime, *, span: int, width: int) -> list[tuple[str, int, float]]:
    """Return (name, number of the column, highest) of what was looked at, in columns of so many seconds."""
    values = {"names": list(names), "since": since, "span": span, "width": width}
    return _HIGHEST.rows(values)


def counted_at() -> datetime | None:
    """Return up to when everything that ended is counted; None before the first time."""
    rows = _COUNTED.rows()
    return rows[0][0] if rows else None


def span_of(window: timedelta) -> int:
    """Return which span of rollups a window is read from, in seconds."""
    return next(span for least, span in _WIDER if window >= least)


def floor(moment: datetime, seconds: int) -> datetime:
    """Return when the span began in which a moment lies."""
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, tz=moment.tzinfo)


def added(counts: Sequence[Sequence[int]]) -> list[int]:
    """Return slot counts added up."""
    return [sum(slot) for slot in zip_longest(*counts, fillvalue=0)]


def _performance(counts: Mapping[str, int], durations: Sequence[int]) -> Performance:
    return Performance(
        count=sum(counts.values()),
        succeeded=counts.get("succeeded", 0),
        failed=counts.get("failed", 0),
        cancelled=counts.get("cancelled", 0),
        p50_ms=slots.percentile(durations, 0.5),
        p95_ms=slots.percentile(durations, 0.95),
    )
