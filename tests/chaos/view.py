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
    """Filled by all clients at once; `commands` are the accepted ones by run, `fresh` are runs nobody has taken yet."""

    starts: dict[str, Acknowledged] = field(default_factory=dict)
    start_of: dict[str, Start] = field(default_factory=dict)
    fresh: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
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
            if run not in self.start_of:
                self.start_of[run] = start
                self.fresh[start.construct].append(run)

    def refused(self, what: str, status: int, body: Any) -> None:
        """Note an answer that no right request should get."""
        detail = body.get("detail", "") if isinstance(body, dict) else ""
        with self.lock:
            self.refusals[f"{what}: {status} {detail}"] += 1

    def take(self, construct: str) -> list[str]:
        """Return the runs of a construct that were acknowledged since the last time."""
        with self.lock:
            return self.fresh.pop(construct, [])
