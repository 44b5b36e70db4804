"""The rows of one run in memory, with what PostgreSQL promises: a transaction happens whole or not at all.

`Database.transaction` also does what a network does to a COMMIT: sometimes nothing was kept, sometimes everything was
and the answer was lost. Time is the database's own and moves only when the scheduler says so.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from workflows.states import RUN_MOVES, STEP_FINAL, STEP_MOVES

Value = TypeVar("Value")
ABORTED, ANSWER_LOST = 0.03, 0.06
RESTING = ("ready", "waiting", "held")
STOPPED = ("failed", "suspended")

# Guards that can be left out, so that the simulator proves that it would see it.
BUGS = (
    "no-fence",
    "no-revision",
    "effect-outside",
    "racy-wait",
    "racy-start",
    "double-join",
    "no-dedup",
    "id-only",
    "lost-event",
)


class Unsure(Exception):
    """The connection broke at a COMMIT: only the rows know whether it arrived."""


class Violation(Exception):
    """A row changed in a way that must never happen."""


@dataclass(slots=True)
class Run:
    state: str = "pending"
    context: str = "{}"
    mail_seq: int = 0
    output: Any = None
    error: Any = None


@dataclass(slots=True)
class Branch:
    """`links` is the audit chain: (number, kind, step, claim of the writer); `cursor` is JSON text, as it is stored."""

    id: int
    parent: int | None = None
    index: int = 0
    join: int | None = None
    cursor: str = "{}"
    revision: int = 0
    state: str = "open"
    open: int = 0
    output: Any = None
    error: Any = None
    done: bool = False
    links: list[tuple[int, str, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    id: int
    branch: int
    key: str
    kind: str
    state: str
    due: float
    function: str = ""
    input: Any = None
    output: Any = None
    error: Any = None
    claim: int = 0
    wake: int = 0
    failures: int = 0
    caught: bool = False
    holder: str | None = None
    lease: float = 0.0
    created: float = 0.0
    finished: float = 0.0
    filters: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Message:
    id: int
    event: Any
    consumed: bool = False


class Database:
    """One run's rows. `bugs` names the guards that are left out on purpose; `calm` ends all faults."""

    def __init__(self, random: Random, bugs: frozenset[str]) -> None:
        self.random, self.bugs, self.calm, self.now = random, bugs, False, 0.0
        self.run, self.branches, self.steps = Run(), {1: Branch(1)}, dict[int, Step]()
        self.open: dict[int, Step] = {}
        self.by_key: dict[str, Step] = {}
        self.messages: list[Message] = []
        self.events: set[str] = set()
        self.ledger: list[str] = []
        self.sink: Counter[str] = Counter()
        self.locks: dict[int, tuple[str, float]] = {}

    def transaction(self, work: Callable[..., Value], *arguments: Any) -> Value:
        """Do `work` at once and return its result. Raises Unsure, before it or after it."""
        fate = 1.0 if self.calm else self.random.random()
        if fate < ABORTED:
            raise Unsure
        result = work(self, *arguments)
        if fate < ANSWER_LOST:
            raise Unsure
        return result

    def insert(self, branch: int, key: str, kind: str, state: str = "ready", **more: Any) -> Step:
        """Add a step; its key is unique in the run."""
        if key in self.by_key:
            raise Violation(f"two steps with the key {key}")
        more.setdefault("due", self.now)
        step = Step(len(self.steps) + 1, branch, key, kind, state, created=self.now, **more)
        self.steps[step.id] = self.by_key[key] = step
        if state not in STEP_FINAL:
            self.open[step.id] = step
        return step

    def move(self, step: Step, state: str) -> None:
        """Change the state of a step as the trigger of the table allows."""
        if state not in STEP_MOVES[step.state]:
            raise Violation(f"{step.key} went from {step.state} to {state}")
        step.state, step.holder = state, None
        if state in STEP_FINAL:
            step.finished = self.now
            self.open.pop(step.id, None)

    def run_becomes(self, state: str) -> None:
        """Change the state of the run as the trigger of the table allows."""
        if state not in (self.run.state, *RUN_MOVES[self.run.state]):
            raise Violation(f"the run went from {self.run.state} to {state}")
        self.run.state = state

    def locked(self, step: int, by: str = "") -> bool:
        """Tell whether a transaction other than `by`'s holds the row; a silent session's lock ends by itself."""
        owner, until = self.locks.get(step, ("", 0.0))
        if owner and until < self.now:
            del self.locks[step]
            return False
        return bool(owner) and owner != by
