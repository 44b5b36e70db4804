"""Who writes a checkpoint, and what it saw happen."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from actions.errors import Failure


@dataclass(frozen=True, slots=True)
class Lessee:
    """The worker that writes. `keep()` is false when it must hand the run back: its time slice ended or it drains.

    `paused(queue)` tells whether an operator paused a queue.
    """

    id: uuid.UUID
    code_version: str
    queues: tuple[str, ...]
    keep: Callable[[], bool]
    paused: Callable[[str], bool] = field(default=lambda _: False)

    def serves(self, queue: str) -> bool:
        """Tell whether this worker takes steps of a queue now; no list of queues means all of them."""
        return (not self.queues or queue in self.queues) and not self.paused(queue)


@dataclass(slots=True)
class Happened:
    """One attempt as the worker saw it, and how long it took; `worker` is set when another one ran it."""

    output: Any = None
    failure: Failure | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    started_at: datetime | None = None
    worker: uuid.UUID | None = None
    seconds: float = 0.0
