"""Recovery times: collected by the tests, shown as a table for people."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Times:
    """Seconds by what was done to the cluster."""

    rows: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, seconds: float) -> None:
        """Keep one measurement."""
        self.rows.setdefault(what, []).append(seconds)

    def table(self) -> str:
        """Return a Markdown table with p50, p99 and max of each row and of all together."""
        rows = {**self.rows, "all": [seconds for row in self.rows.values() for seconds in row]}
        head = "| what | n | p50 s | p99 s | max s |\n|---|---|---|---|---|\n"
        return head + "\n".join(_row(what, row) for what, row in rows.items() if row)


def percentile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that at least this part (0 to 1) of all do not exceed."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def _row(what: str, row: Sequence[float]) -> str:
    figures = (percentile(row, 0.5), percentile(row, 0.99), max(row))
    return f"| {what} | {len(row)} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |"
