"""Everything that one checkpoint may write, as values."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit.recording import Link

UNCHANGED = object()


@dataclass(slots=True, kw_only=True)
class StepWrite:
    """What becomes of the held step. `delay_seconds` counts from the database's clock when it goes back to ready.

    One that was woken since it was claimed does not rest: it is due at once.
    """

    state: str
    key: str
    ref: str
    name: str
    kind: str
    function: str
    action_version: uuid.UUID | None
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    caught: bool = False
    attempt: int = 0
    failures: int = 0
    generation: int = 0
    delay_seconds: float = 0.0
    due_at: datetime | None = None
    queue: str = "default"


@dataclass(slots=True, kw_only=True)
class NextStep:
    """A step that begins: leased by `worker`, or in `state` (ready from `due_at`; None: at once)."""

    id: uuid.UUID
    key: str
    ref: str
    name: str
    kind: str
    function: str = ""
    action_version: uuid.UUID | None = None
    input: Any = None
    due_at: datetime | None = None
    worker: uuid.UUID | None = None
    queue: str = "default"
    priority: int = 2
    error: dict[str, Any] | None = None
    generation: int = 0
    claim: int = 0  # of an earlier step that is the same effect: the fence goes on from there
    state: str = "ready"


@dataclass(slots=True)
class Ended:
    """A step that began and ended behind the held one before that was recorded: it is written once, as succeeded.

    `began` and `done` are times of `time.monotonic`.
    """

    begun_as: NextStep
    step: StepWrite
    began: float
    done: float


@dataclass(slots=True, kw_only=True)
class AttemptWrite:
    """An attempt that is kept: it failed, timed out or logged something."""

    number: int
    outcome: str
    input: Any
    output: Any = None
    error: dict[str, Any] | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    worker: uuid.UUID | None = None
    code_version: str = ""
    started_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class RunWrite:
    """What becomes of the run. `context` is UNCHANGED or the new value, which may be null.

    `keep` changes nothing but the context. `seen_context` is what the new one was made from: another branch's export
    in between makes the checkpoint fail.
    """

    state: str = ""
    keep: bool = False
    reason: str = ""
    output: Any = None
    error: dict[str, Any] | None = None
    context: Any = UNCHANGED
    seen_context: Any = UNCHANGED


@dataclass(slots=True, kw_only=True)
class BranchWrite:
    """A branch of a fork that begins, its first step ready or held, its chain opened by `link`."""

    id: uuid.UUID
    step: uuid.UUID
    frame: str
    index: int
    name: str
    ref: str
    cursor: dict[str, Any]
    link: Link


@dataclass(slots=True, kw_only=True)
class Closed:
    """The held step's branch of a fork ends, with an output or an error; the step behind the fork looks at it.

    `last` wakes that step only when all branches have ended. `not_last`: nothing is written if this is the last one.
    `steps` are those that the branch has had: they count for the run.
    """

    output: Any = None
    error: dict[str, Any] | None = None
    steps: int = 0
    last: bool = True
    not_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """A filter of the listening step, for who delivers events."""

    step: uuid.UUID
    index: int
    type: str
    source: str
    correlate_from: str
    correlate_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoWrite:
    """A compensation that is recorded; with `step` it runs at once."""

    place: str
    key: str
    ref: str
    name: str
    function: str
    action_version: uuid.UUID | None
    input: Any
    step: uuid.UUID | None = None


@dataclass(slots=True, kw_only=True)
class Progress:
    """What one checkpoint writes. `links` continue the branch's audit chain.

    `rest` is what the branch waits for from now on; `over` are keys of steps of this branch that are cancelled;
    `woken` is the key of a step that has to look again; `messages` were consumed; `undoing` is the step of a recorded
    undo that begins; `listens`: the mailbox must be as it was when the step was claimed.
    """

    step: StepWrite
    cursor: dict[str, Any]
    links: Sequence[Link]
    next: Sequence[NextStep] = ()
    attempt: AttemptWrite | None = None
    run: RunWrite | None = None
    rest: str = ""
    branches: Sequence[BranchWrite] = ()
    closed: Closed | None = None
    over: Sequence[str] = ()
    woken: str = ""
    messages: Sequence[int] = ()
    listens: bool = False
    subscriptions: Sequence[Subscribe] = ()
    unsubscribe: bool = False
    undos: Sequence[UndoWrite] = ()
    undoing: tuple[int, uuid.UUID] | None = None
    undone: bool = False
