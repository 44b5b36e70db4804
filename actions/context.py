"""What a handler knows about its attempt. No datastore, no way to start actions: those belong to workflows."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from actions import logs
from actions.handlers.guard import GuardedClient


@dataclass(slots=True)
class Context:
    """One attempt of one step.

    `idempotency_key` is the same for all attempts of the step: hand it to whoever you call. `fence` grows with every
    attempt, also after a restore of the database: whoever sees a smaller one than before can ignore it. `deadline` is
    on the monotonic clock, in seconds. `secret_names` are the connections that the workflow declares; no other secret
    is ever handed to the step.
    """

    run_id: str
    step_key: str
    attempt: int
    idempotency_key: str
    fence: int
    deadline: float | None = None
    stop: Event = field(default_factory=Event)
    secret_names: Sequence[str] = ()

    def remaining(self) -> float:
        """Return the seconds left until the attempt times out; infinite before it has begun."""
        return float("inf") if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def should_stop(self) -> bool:
        """Tell a long handler to return early: its time is up, its lease is lost or the worker shuts down."""
        return self.stop.is_set() or self.remaining() <= 0

    def log(self, message: str, **fields: Any) -> None:
        """Keep a line with the attempt; it is shown on the run's page."""
        logs.write("info", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        """Do the same as `log`."""
        logs.write("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Keep a line that stands out."""
        logs.write("warning", message, fields)

    @property
    def http(self) -> GuardedClient:
        """Return an HTTP client that reaches only public and allowed hosts, within the attempt's time."""
        return GuardedClient(deadline=self.deadline)
