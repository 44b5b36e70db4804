"""What the engine needs from outside, injected: facts of the run, expressions, schemas, chance. No clock, no Django."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

RUNTIME = {"name": "dotdo", "version": "1"}


class Services(Protocol):
    """Evaluate expressions, check schemas and limits; `evaluate` and `secrets` raise `Fault` when they cannot."""

    def evaluate(self, expression: str, dot: Any, variables: Mapping[str, Any]) -> Any:
        """Return the value of a jq expression (0, 1, many outputs: null, value, array; ruling R22)."""
        ...

    def problems(self, schema: Mapping[str, Any] | bool, value: Any) -> list[str]:
        """Return what in `value` breaks `schema`, one sentence each."""
        ...

    def unfit(self, value: Any) -> str:
        """Return why `value` cannot be kept (too large, nested too deeply, ...), or nothing."""
        ...

    def secrets(self, names: Sequence[str]) -> Mapping[str, Any]:
        """Return a marker for each secret: what the executor replaces when it sends (R23)."""
        ...

    def random(self) -> float:
        """Return a number from 0 to below 1, for jitter."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the run itself. `webhook` gives the address that events for the run can be sent to.

    A run that is `stopped` (parked on another branch, or suspended) does not complete: it goes on when it is let go.
    """

    run: str
    input: Any
    started_at: datetime
    webhook: Callable[[], str] = str
    stopped: bool = False


def date_time(at: datetime) -> dict[str, Any]:
    """Return the DSL's form of a moment: ISO 8601 text, epoch seconds and milliseconds."""
    milliseconds = int(at.timestamp() * 1_000)
    text = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"iso8601": text, "epoch": {"seconds": milliseconds // 1_000, "milliseconds": milliseconds}}
