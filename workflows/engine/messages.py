"""What the engine is told and what it asks for: plain values, so that every case is a row in a test table.

Nobody changes one. Those that every step makes are not frozen all the same: that would take four times as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Start:
    """Begin the run with its raw input."""

    input: Any


@dataclass(slots=True)
class Done:
    """The leaf with this key finished, with its output; that of a timer is ignored."""

    key: str
    output: Any = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The leaf with this key failed for good."""

    key: str
    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The timer with this key, of a task or of the workflow, has rung."""

    key: str


@dataclass(frozen=True, slots=True)
class Received:
    """An event (the CloudEvent's envelope) was delivered to the listen with this key."""

    key: str
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Continue:
    """Begin a branch, or go on where the cursor stands: after a used-up budget, or when a person retries a task."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave the pure task that faulted: this is its output."""

    output: Any


Message = Start | Done | Failed | TimedOut | Received | Continue | Skip


@dataclass(slots=True)
class CallFunction:
    """Execute a function of the catalog. `effect` is the idempotency key the author gave, or empty."""

    key: str
    ref: str
    name: str
    function: str
    version: str
    input: Any
    effect: str = ""


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Rest until `due_at`; then Done with this key."""

    key: str
    ref: str
    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Publish a CloudEvent; then Done with this key and the event."""

    key: str
    ref: str
    name: str
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """What is known of a filter beforehand. Empty texts fit all; `correlate` has what jq texts must give."""

    index: int
    type: str = ""
    source: str = ""
    correlate: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listen:
    """Rest until Received with this key. `filters` only narrow down what is worth delivering."""

    key: str
    ref: str
    name: str
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Listening:
    """Go on resting in the listen with this key: it wants more events, also those that were delivered meanwhile.

    `taken`: the event that was received is one of its own.
    """

    key: str
    ref: str
    name: str
    taken: bool = False


@dataclass(frozen=True, slots=True)
class StartRun:
    """Start another workflow; Done or Failed with this key, at its end or (without `wait`) at once."""

    key: str
    ref: str
    name: str
    workflow: str
    version: str
    input: Any
    wait: bool


@dataclass(frozen=True, slots=True)
class BranchStart:
    """One branch of a fork: its cursor is given to Continue. `frame` is unique in the run."""

    frame: str
    index: int
    name: str
    ref: str
    cursor: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenFork:
    """Run branches beside each other; Done with this key and the outputs (`compete`: the first output), or Failed."""

    key: str
    ref: str
    name: str
    compete: bool
    branches: tuple[BranchStart, ...]


@dataclass(frozen=True, slots=True)
class Undo:
    """Undo, last one first, what was recorded at places that begin with `scope`; then Done with this key."""

    key: str
    ref: str
    name: str
    scope: str


@dataclass(frozen=True, slots=True)
class GoOn:
    """Send Continue: the transition budget of one checkpoint is used up."""

    key: str
    ref: str
    name: str


@dataclass(frozen=True, slots=True)
class Complete:
    """The run succeeded with this output; whatever else is going on in it is over."""

    output: Any


@dataclass(frozen=True, slots=True)
class BranchDone:
    """This branch of a fork came to its end with this output."""

    output: Any


@dataclass(frozen=True, slots=True)
class Park:
    """A fault that nobody caught. The cursor stands so that Continue (or the failed leaf again) tries the task anew."""

    key: str
    ref: str
    name: str
    error: dict[str, Any]


Command = (
    CallFunction
    | SetTimer
    | EmitEvent
    | Listen
    | Listening
    | StartRun
    | OpenFork
    | Undo
    | GoOn
    | Complete
    | BranchDone
    | Park
)


@dataclass(frozen=True, slots=True)
class ArmTimer:
    """A task or the workflow has a timeout: TimedOut with this key at `due_at`, unless it is dropped before."""

    key: str
    ref: str
    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class PushUndo:
    """A task is done and can be undone by this call. `place` is its key without the attempts of enclosing tries."""

    place: str
    key: str
    ref: str
    name: str
    function: str
    version: str
    input: Any


@dataclass(slots=True)
class Advance:
    """The next state and what to do.

    `trace` tells the path through the pure tasks; `context` is the run's data cell. `armed` and `dropped` timers,
    `cut` leaves (their tasks were left by a caught fault or by `end`) and `undo`es belong to the same checkpoint.
    """

    cursor: dict[str, Any]
    command: Command
    context: Any
    trace: list[str] = field(default_factory=list)
    armed: list[ArmTimer] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    undo: list[PushUndo] = field(default_factory=list)
