"""Who writes a checkpoint, and what it saw happen."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from actions.errors import Failure

if TYPE_CHECKING:
    from workflows.claim import Claimed


@dataclass(frozen=True, slots=True)
class Lessee:
    """The worker that writes. `keep()` is false when it must hand the run back: its time slice ended or it drains.

    `paused(queue)` tells whether an operator paused a queue. A checkpoint behind which the worker has nothing to go on
    with claims its next step as well: `ahead()` says of which queue and priority, None when it would not come soon,
    and `took` gets what was claimed.
    """

    id: uuid.UUID
    code_version: str
    queues: tuple[str, ...]
    keep: Callable[[], bool]
    paused: Callable[[str], bool] = field(default=lambda _: False)
    ahead: Callable[[], tuple[str, int] | None] = field(default=lambda: None)
    took: Callable[["Claimed"], None] = field(default=lambda _: None)

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
