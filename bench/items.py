"""`make bench-growth ARGS=--shapes`: does the cost of an item stay the same when there are many of them in one run?

Each shape is one run on the real cluster. The time between the ends of its items, by the database's clock, is compared:
the last tenth of the items may cost at most 1.5 times what the first tenth does. Then: whether the branches of a fork
keep all workers busy at once, and what runs that wait hold.
"""

import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import date

from bench import harness, resting, shapes
from bench.shapes import Shape

WORKERS = 2
MOST = 1.5


def measure(wanted: Sequence[str]) -> int:
    """Measure these shapes, or all; print the table, and return 1 when a promise is broken."""
    harness.prepare()
    print(f"{date.today()}, {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")  # noqa: DTZ011
    print(f"{'shape':<34} {'items':>7} {'seconds':>8} {'first tenth':>12} {'last tenth':>12} {'ratio':>6}")
    wanted = wanted or ["loop", "fork", "map", *CHECKS]
    held = _shapes([shapes.SHAPES[name] for name in wanted if name in shapes.SHAPES])
    held += [CHECKS[name]() for name in wanted if name in CHECKS]
    return 0 if all(held) else 1


def _shapes(wanted: list[Shape]) -> list[bool]:
    if not wanted:
        return []
    with harness.cluster(WORKERS):
        return [_measure(shape) for shape in wanted]


def _measure(shape: Shape) -> bool:
    ends = shapes.run(shape)
    tenth = max(1, len(ends) // 10)
    first = (ends[tenth] - ends[0]) / tenth * 1_000
    last = (ends[-1] - ends[-1 - tenth]) / tenth * 1_000
    ratio = last / first
    print(f"{shape.title:<34} {len(ends):>7} {ends[-1]:>8.1f} {first:>9.2f} ms {last:>9.2f} ms {ratio:>6.2f}")
    return ratio <= MOST


def _fork_on_all_workers() -> bool:
    workers = 4
    with harness.cluster(workers):
        time.sleep(2)
        seen = resting.most_workers_at_once(shapes.SHAPES["wide"])
    print(f"fork of 100 branches: {seen} of {workers} workers at the same time")
    return seen == workers


def _waiting_runs_hold_nothing() -> bool:
    with harness.cluster(WORKERS):
        before, during, running, milliseconds = resting.while_waiting(500)
    print(
        f"500 waiting runs: {during} connections of workers (before: {before}), {running} steps running, "
        f"another run took {milliseconds:.0f} ms"
    )
    return during <= before and running == 0


CHECKS: dict[str, Callable[[], bool]] = {"workers": _fork_on_all_workers, "waiting": _waiting_runs_hold_nothing}
