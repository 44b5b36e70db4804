"""What a task is to the engine: frozen, with every expression and duration already taken apart.

Expressions are jq text without `${ }`; `None` means that a field is absent. A `ref` is the JSON pointer of a task or
of a task list (`/do/0/charge`, `/do/0/charge/do`); it stays valid because published documents never change. Names that
a document defines under `use` are replaced by what they stand for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from workflows.language.templates import Template

CONTINUE, EXIT, END = "continue", "exit", "end"
DIRECTIVES = (CONTINUE, EXIT, END)

Schema = Mapping[str, Any] | bool
# a fixed duration, or the jq text of one (give its value to `durations.parse`)
Duration = timedelta | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What every task has."""

    kind: ClassVar[str] = ""

    name: str
    ref: str
    index: int
    if_: str | None = None
    input_schema: Schema | None = None
    input_from: Template | None = None
    output_schema: Schema | None = None
    output_as: Template | None = None
    export_schema: Schema | None = None
    export_as: Template | None = None
    timeout: Duration | None = None
    then: str = CONTINUE
    saga: bool = False
    idempotency_key: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    definition: Mapping[str, Any]

    def lists(self) -> "tuple[TaskList, ...]":
        """Return the task lists directly inside this task."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskList:
    """Tasks of one scope, in order. `then` can only name tasks of the same list."""

    ref: str
    tasks: tuple[Task, ...]
    positions: Mapping[str, int] = field(repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, index: int) -> Task:
        return self.tasks[index]

    def index_of(self, name: str) -> int:
        """Return the position of the task called `name`. Raises KeyError."""
        return self.positions[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Do(Task):
    """A sequence."""

    kind: ClassVar[str] = "do"
    tasks: TaskList

    def lists(self) -> tuple[TaskList, ...]:
        return (self.tasks,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Task):
    """The value that replaces the data."""

    kind: ClassVar[str] = "set"
    value: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way of a switch. `when` is None for the default case."""

    name: str
    ref: str
    when: str | None
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Task):
    """Ways in document order; the default case, if there is one, counts after all others, wherever it stands."""

    kind: ClassVar[str] = "switch"
    cases: tuple[Case, ...]
    default: Case | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Task):
    """A pause; give the value of an expression to `durations.parse_wait`."""

    kind: ClassVar[str] = "wait"
    duration: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise(Task):
    """An error of the author's: resolves to type, status and perhaps title, detail, instance."""

    kind: ClassVar[str] = "raise"
    error: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoSpec:
    """What takes a completed call back.

    With `with_`, the document says it (`metadata.dotdo.undo`): evaluated with `.` and `$output` = the task's
    transformed output, `$input` = its transformed input. Without, the action says it: each name of `fields` is taken
    from the output if it is an object that has it, else from the input of the call.
    """

    function: str
    version: str
    with_: Template | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Task):
    """A function, pinned: an action, a built-in such as `datastore.set`, or `http` or `openapi`."""

    kind: ClassVar[str] = "call"
    function: str
    version: str
    with_: Template
    undo: UndoSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWorkflow(Task):
    """A child run of an exact, published version of a workflow."""

    kind: ClassVar[str] = "run"
    namespace: str
    workflow: str
    version: str
    input: Template
    await_: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class For(Task):
    """A sequential loop; `while_` is asked before each iteration (R9)."""

    kind: ClassVar[str] = "for"
    each: str = "item"
    at: str = "index"
    in_: Template
    while_: str | None = None
    tasks: TaskList

    def lists(self) -> tuple[TaskList, ...]:
        return (self.tasks,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork(Task):
    """Branches that run at the same time, each of them one task."""

    kind: ClassVar[str] = "fork"
    branches: TaskList
    compete: bool = False

    def lists(self) -> tuple[TaskList, ...]:
        return (self.branches,)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When and how often a `try` runs again. `count` is the number of retries after the first attempt (R25)."""

    when: str | None = None
    except_when: str | None = None
    delay: Duration = timedelta(0)
    backoff: str = "constant"
    jitter: tuple[Duration, Duration] | None = None
    count: int | None = None
    attempt_timeout: Duration | None = None
    duration: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """Which faults a `try` catches, and what follows (R13, R14). No `errors` means all of them."""

    errors: Mapping[str, Template] = field(default_factory=dict)
    as_: str = "error"
    when: str | None = None
    except_when: str | None = None
    retry: RetryPolicy | None = None
    tasks: TaskList | None = None
    then: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Try(Task):
    """Tasks whose faults are caught."""

    kind: ClassVar[str] = "try"
    tasks: TaskList
    catch: Catch

    def lists(self) -> tuple[TaskList, ...]:
        return (self.tasks,) if self.catch.tasks is None else (self.tasks, self.catch.tasks)
