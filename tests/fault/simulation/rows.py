"""The rows of a run and its children in memory, with what PostgreSQL promises: a transaction happens whole or not.

`Database.transaction` also does what a network does to a COMMIT: sometimes nothing was kept, sometimes everything was
and the answer was lost. Time is the database's own and moves only when the scheduler says so; `tick` counts commits.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from tests.fault.simulation.bugs import ABORTED, ANSWER_LOST
from workflows.states import RUN_FINAL, RUN_MOVES, STEP_FINAL, STEP_MOVES

Value = TypeVar("Value")
RESTING = ("ready", "waiting", "held")
STOPPED = ("failed", "suspended")
UNDONE = "undone"
MAIN = 1


class Unsure(Exception):
    """The connection broke at a COMMIT: only the rows know whether it arrived."""


class Violation(Exception):
    """A row changed in a way that must never happen."""


@dataclass(slots=True)
class Run:
    """`program` is its name among the scenario's; `ended` is the commit that ended it."""

    id: int
    program: str = ""
    input: Any = None
    parent_step: int | None = None
    index: int = 0
    state: str = "pending"
    reason: str = ""
    context: str = "{}"
    mail_seq: int = 0
    output: Any = None
    error: Any = None
    ended: int = 0

    @property
    def over(self) -> bool:
        """Tell whether it has ended: also as failed, when all that it had done is undone."""
        return self.state in RUN_FINAL or (self.state == "failed" and self.reason == UNDONE)


@dataclass(slots=True)
class Branch:
    """`links` is the audit chain: (number, kind, step, claim of the writer); `cursor` is JSON text, as it is stored."""

    id: int
    run: int
    parent: int | None = None
    index: int = 0
    join: int | None = None
    frame: str = ""
    cursor: str = "{}"
    revision: int = 0
    state: str = "open"
    closed: int = 0
    open: int = 0
    counted: int = 0
    output: Any = None
    error: Any = None
    links: list[tuple[int, str, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    id: int
    run: int
    branch: int
    key: str
    kind: str
    state: str
    due: float
    function: str = ""
    input: Any = None
    output: Any = None
    claim: int = 0
    wake: int = 0
    caught: bool = False
    holder: str | None = None
    lease: float = 0.0
    created: int = 0
    ended: int = 0


@dataclass(slots=True)
class Undo:
    """A recorded compensation; the newest has the highest number."""

    number: int
    run: int
    place: str
    key: str
    function: str
    input: Any
    state: str = "recorded"
    step: int | None = None


@dataclass(slots=True)
class Message:
    id: int
    event: Any
    consumed: bool = False


class Database:
    """All rows. `bugs` names the guards that are left out on purpose; `calm` ends all faults."""

    def __init__(self, random: Random, bugs: frozenset[str]) -> None:
        self.random, self.bugs, self.calm, self.now, self.tick = random, bugs, False, 0.0, 0
        self.runs, self.branches, self.steps = dict[int, Run](), dict[int, Branch](), dict[int, Step]()
        self.open: dict[int, Step] = {}
        self.by_key: dict[tuple[int, str], Step] = {}
        self.undos: dict[tuple[int, str], Undo] = {}
        self.numbers = 0
        self.messages: list[Message] = []
        self.events: set[str] = set()
        self.ledger: list[tuple[int, str]] = []
        self.sink: Counter[tuple[int, str, str]] = Counter()
        self.seen: set[tuple[int, int]] = set()
        self.locks: dict[int, tuple[str, float]] = {}

    @property
    def run(self) -> Run:
        """Return the run that was started from outside."""
        return self.runs[MAIN]

    def transaction(self, work: Callable[..., Value], *arguments: Any) -> Value:
        """Do `work` at once and return its result. Raises Unsure, before it or after it."""
        fate = 1.0 if self.calm else self.random.random()
        if fate < ABORTED:
            raise Unsure
        self.tick += 1
        result = work(self, *arguments)
        if fate < ANSWER_LOST:
            raise Unsure
        return result

    def start(self, program: str, given: Any, parent_step: int | None = None, index: int = 0) -> Run:
        """Add a run with its own branch and first step."""
        run = Run(len(self.runs) + 1, program, given, parent_step, index)
        self.runs[run.id] = run
        branch = self.branch(run.id)
        self.insert(branch.id, "", "start")
        return run

    def branch(self, run: int, **more: Any) -> Branch:
        """Add a branch to a run."""
        branch = Branch(len(self.branches) + 1, run, **more)
        self.branches[branch.id] = branch
        return branch

    def insert(self, branch: int, key: str, kind: str, state: str = "ready", **more: Any) -> Step:
        """Add a step; its key is unique in the run."""
        run = self.branches[branch].run
        if (run, key) in self.by_key:
            raise Violation(f"two steps with the key {key} in run {run}")
        more.setdefault("due", self.now)
        step = Step(len(self.steps) + 1, run, branch, key, kind, state, created=self.tick, **more)
        self.steps[step.id] = self.by_key[run, key] = step
        if state not in STEP_FINAL:
            self.open[step.id] = step
        return step

    def move(self, step: Step, state: str) -> None:
        """Change the state of a step as the trigger of the table allows."""
        if state not in STEP_MOVES[step.state]:
            raise Violation(f"{step.key} went from {step.state} to {state}")
        step.state, step.holder = state, None
        if state in STEP_FINAL:
            self.ended(step)

    def ended(self, step: Step) -> None:
        """Note that nothing more can become of a step."""
        step.ended = self.tick
        self.open.pop(step.id, None)

    def run_becomes(self, run: Run, state: str, reason: str = "") -> None:
        """Change the state of a run as the trigger of the table allows."""
        if state not in (run.state, *RUN_MOVES[run.state]):
            raise Violation(f"run {run.id} went from {run.state} to {state}")
        run.state, run.reason = state, reason
        if state in RUN_FINAL:
            run.ended = self.tick

    def close(self, branch: Branch) -> None:
        """End a branch; a checkpoint that read it before looks again."""
        branch.state, branch.closed, branch.revision = "closed", self.tick, branch.revision + 1

    def open_steps(self, run: int) -> list[Step]:
        """Return the steps of a run that have not ended."""
        return [step for step in self.open.values() if step.run == run]

    def open_branches(self, run: int) -> list[Branch]:
        """Return the branches of a run that have not ended."""
        return [branch for branch in self.branches.values() if branch.run == run and branch.state == "open"]

    def children(self, step: int) -> Iterator[Run]:
        """Yield the runs that a step has started."""
        return (run for run in self.runs.values() if run.parent_step == step)

    def locked(self, step: int, by: str = "") -> bool:
        """Tell whether a transaction other than `by`'s holds the row; a silent session's lock ends by itself."""
        owner, until = self.locks.get(step, ("", 0.0))
        if owner and until < self.now:
            del self.locks[step]
            return False
        return bool(owner) and owner != by
