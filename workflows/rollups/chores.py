"""What the housekeeper does for charts, and how often: a chore that takes long comes round less often."""

import time
from collections.abc import Callable

from workflows.rollups import counting, gauges
from workflows.sql import Statement

COUNT_SECONDS, SAMPLE_SECONDS, TIDY_SECONDS = 10.0, 60.0, 3600.0
REST = 20  # of a chore's own duration: it takes a twentieth of a connection at most
BEHIND = 2  # instead of it, while there is more to count: charts of today wait for all that is older
BATCH = 10_000
KEPT_DAYS = {
    **{("rollup", span): days for span, days in counting.KEPT_DAYS.items()},
    ("gauge", gauges.MINUTE): 3,
    ("gauge", gauges.HOUR): 65,
}
_lasted: dict[str, float] = {}
_behind = [False]


def count() -> None:
    """Count what ended."""
    _behind[0] = False  # also when it fails: what fails comes round seldom
    _timed("count", _count)


def sample() -> None:
    """Note how much there is of everything."""
    _timed("sample", gauges.sample)


def tidy() -> None:
    """Delete what no chart shows any more, a batch of each."""
    for (table, span), days in KEPT_DAYS.items():
        Statement(
            f"""
            DELETE FROM {table} WHERE id IN (SELECT id FROM {table}
                WHERE span = :span AND begins_at < now() - make_interval(days => :days) {_KINDS[table]} LIMIT {BATCH})
            """  # noqa: S608 - constants
        ).rows({"span": span, "days": days})


def count_every() -> float:
    """Return after how many seconds what ended is counted again."""
    return max(COUNT_SECONDS, (BEHIND if _behind[0] else REST) * _lasted.get("count", 0.0))


def sample_every() -> float:
    """Return after how many seconds everything is looked at again."""
    return max(SAMPLE_SECONDS, REST * _lasted.get("sample", 0.0))


# The index of rollups by time goes by subject.
_KINDS = {"rollup": "AND subject IN ('runs', 'workflow', 'action')", "gauge": ""}


def _count() -> None:
    passed = counting.count()
    _behind[0] = passed > 0 and passed % counting.PAGE == 0  # its last page was full


def _timed(name: str, do: Callable[[], object]) -> None:
    began = time.monotonic()
    try:
        do()
    finally:
        _lasted[name] = time.monotonic() - began
