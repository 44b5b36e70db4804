"""What the clients know: what they sent and what was acknowledged. The checker holds the database against it."""

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.mix import Start


@dataclass
class Acknowledged:
    """A start with the runs that its answers named."""

    start: Start
    runs: set[str] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)


@dataclass
class View:
    """Filled by all clients at once; `commands` are the accepted ones by run."""

    starts: dict[str, Acknowledged] = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)
    hooks: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    answers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    commands: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refusals: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begun(self, start: Start) -> Acknowledged:
        """Note that a client is about to send a start."""
        with self.lock:
            return self.starts.setdefault(start.key, Acknowledged(start))

    def acknowledged(self, start: Start, run: str) -> None:
        """Note that a start was answered with a run."""
        with self.lock:
            self.starts[start.key].runs.add(run)

    def refused(self, what: str, status: int, body: Any) -> None:
        """Note an answer that no right request should get."""
        detail = body.get("detail", "") if isinstance(body, dict) else ""
        with self.lock:
            self.refusals[f"{what}: {status} {detail}"] += 1

    def of_construct(self, *names: str) -> list[tuple[str, Start]]:
        """Return the acknowledged runs of some constructs with their starts."""
        with self.lock:
            return [
                (run, known.start)
                for known in self.starts.values()
                if known.start.construct in names
                for run in known.runs
            ]
