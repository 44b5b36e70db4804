"""What the engine is told and what it asks for: plain values, so that every case is a row in a test table."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Start:
    """Begin the run with its raw input."""

    input: Any


@dataclass(frozen=True, slots=True)
class Done:
    """The leaf with this key finished: a call with its output, or a timer (`output` is then ignored)."""

    key: str
    output: Any = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The call with this key failed for good."""

    key: str
    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on where the cursor stands: after a budget was used up, or when a person retries a faulted task."""


Message = Start | Done | Failed | Continue


@dataclass(frozen=True, slots=True)
class CallFunction:
    """Execute a function of the catalog. Its end comes back as Done or Failed with this key."""

    key: str
    ref: str
    name: str
    function: str
    version: str
    input: Any


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Rest until `due_at`; then Done with this key."""

    key: str
    ref: str
    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class GoOn:
    """Send Continue: the transition budget of one checkpoint is used up."""

    key: str
    ref: str
    name: str


@dataclass(frozen=True, slots=True)
class Complete:
    """The run succeeded with this output."""

    output: Any


@dataclass(frozen=True, slots=True)
class Park:
    """A fault that nobody caught. The cursor stands so that Continue (or the failed call again) tries the task anew."""

    key: str
    ref: str
    name: str
    error: dict[str, Any]


Command = CallFunction | SetTimer | GoOn | Complete | Park


@dataclass(frozen=True, slots=True)
class Advance:
    """The next state and what to do. `trace` lists the tasks passed through; `context` is the run's data cell."""

    cursor: dict[str, Any]
    command: Command
    context: Any
    trace: list[str] = field(default_factory=list)
