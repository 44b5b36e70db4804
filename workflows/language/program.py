"""A workflow document as the engine reads it: frozen, with every expression and duration already taken apart.

`build` assumes a document that `validate` found free of problems, and the lock made from it at publish. A `ref` is the
JSON pointer of a task or a task list (`/do/0/charge`, `/do/0/charge/do`); it stays valid because published documents
never change. To add a kind of task: a dataclass here, its reader in `READERS`, its checker in `checks.kinds.CHECKERS`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from workflows.language import durations, templates
from workflows.language.kinds import kind_of
from workflows.language.templates import Template

CONTINUE, EXIT, END = "continue", "exit", "end"
DIRECTIVES = (CONTINUE, EXIT, END)

Schema = Mapping[str, Any] | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DataIn:
    """`input` of the workflow: `schema` checks the raw input, then `from_` makes the input of the first task."""

    schema: Schema | None = None
    from_: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOut:
    """`output` of the workflow: `as_` makes the result from the last output, then `schema` checks it."""

    schema: Schema | None = None
    as_: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What every task has. Expressions are jq text without `${ }`; `None` means that the field is absent."""

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
    then: str = CONTINUE
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
class Call(Task):
    """A function of the catalog, pinned: an action, or a built-in such as `datastore.set`."""

    kind: ClassVar[str] = "call"
    function: str
    version: str
    with_: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Task):
    """A pause: a fixed duration, or the jq text of one (give its value to `durations.parse_wait`)."""

    kind: ClassVar[str] = "wait"
    duration: timedelta | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise(Task):
    """An error of the author's: resolves to type, status and perhaps title, detail, instance."""

    kind: ClassVar[str] = "raise"
    error: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A whole workflow. `lock` maps the text of each `call` to the pinned `name:version`."""

    document: Mapping[str, Any]
    namespace: str
    name: str
    version: str
    metadata: Mapping[str, Any]
    input: DataIn
    output: DataOut
    tasks: TaskList
    lock: Mapping[str, str]
    by_ref: Mapping[str, Task] = field(repr=False, compare=False)
    lists_by_ref: Mapping[str, TaskList] = field(repr=False, compare=False)

    def task_at(self, ref: str) -> Task:
        """Return the task with this pointer. Raises KeyError."""
        return self.by_ref[ref]

    def list_at(self, ref: str) -> TaskList:
        """Return the task list with this pointer. Raises KeyError."""
        return self.lists_by_ref[ref]


def build(document: Mapping[str, Any], lock: Mapping[str, str]) -> Program:
    """Return the program of a valid document. `lock` comes from `locking.lock_functions`."""
    about = document["document"]
    tasks = _read_list(document["do"], "/do", lock)
    lists = list(_walk(tasks))
    incoming, outgoing = document.get("input", {}), document.get("output", {})
    return Program(
        document=document,
        namespace=about["namespace"],
        name=about["name"],
        version=about["version"],
        metadata=about.get("metadata", {}),
        input=DataIn(schema=_schema(incoming), from_=_transform(incoming, "from")),
        output=DataOut(schema=_schema(outgoing), as_=_transform(outgoing, "as")),
        tasks=tasks,
        lock=dict(lock),
        by_ref={task.ref: task for tasks in lists for task in tasks.tasks},
        lists_by_ref={tasks.ref: tasks for tasks in lists},
    )


def _walk(tasks: TaskList) -> Iterator[TaskList]:
    yield tasks
    for task in tasks.tasks:
        for inside in task.lists():
            yield from _walk(inside)


def _read_list(items: list[dict[str, Any]], ref: str, lock: Mapping[str, str]) -> TaskList:
    tasks = tuple(_read_task(item, f"{ref}/{index}", index, lock) for index, item in enumerate(items))
    return TaskList(ref=ref, tasks=tasks, positions={task.name: task.index for task in tasks})


def _read_task(item: dict[str, Any], place: str, index: int, lock: Mapping[str, str]) -> Task:
    ((name, definition),) = item.items()
    ref = f"{place}/{name}"
    common = {"name": name, "ref": ref, "index": index, "definition": definition, **_read_common(definition)}
    return READERS[kind_of(definition) or ""](Reading(definition, ref, common, lock))


def _read_common(definition: dict[str, Any]) -> dict[str, Any]:
    incoming, outgoing, export = (definition.get(key, {}) for key in ("input", "output", "export"))
    return {
        "if_": templates.always(definition["if"]) if "if" in definition else None,
        "input_schema": _schema(incoming),
        "input_from": _transform(incoming, "from"),
        "output_schema": _schema(outgoing),
        "output_as": _transform(outgoing, "as"),
        "export_schema": _schema(export),
        "export_as": _transform(export, "as"),
        "then": definition.get("then", CONTINUE),
        "metadata": definition.get("metadata", {}),
    }


def _schema(data: Mapping[str, Any]) -> Schema | None:
    schema: Schema | None = data["schema"]["document"] if "schema" in data else None
    return schema


def _transform(data: Mapping[str, Any], key: str) -> Template | None:
    return templates.compile_always(data[key]) if key in data else None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader of one kind gets: the task as written, its pointer, the fields all tasks have, the lock."""

    definition: Mapping[str, Any]
    ref: str
    common: Mapping[str, Any]
    lock: Mapping[str, str]


def _read_do(task: Reading) -> Do:
    return Do(tasks=_read_list(task.definition["do"], f"{task.ref}/do", task.lock), **task.common)


def _read_set(task: Reading) -> Set:
    return Set(value=templates.compile(task.definition["set"]), **task.common)


def _read_switch(task: Reading) -> Switch:
    cases = []
    for index, item in enumerate(task.definition["switch"]):
        ((name, case),) = item.items()
        when = templates.always(case["when"]) if "when" in case else None
        cases.append(Case(name=name, ref=f"{task.ref}/switch/{index}/{name}", when=when, then=case["then"]))
    default = next((case for case in cases if case.when is None), None)
    return Switch(cases=tuple(case for case in cases if case.when is not None), default=default, **task.common)


def _read_call(task: Reading) -> Call:
    function, _, version = task.lock[task.definition["call"]].rpartition(":")
    arguments = templates.compile(task.definition.get("with", {}))
    return Call(function=function, version=version, with_=arguments, **task.common)


def _read_wait(task: Reading) -> Wait:
    duration = task.definition["wait"]
    text = templates.inner(duration) if isinstance(duration, str) else None
    return Wait(duration=durations.parse_wait(duration) if text is None else text, **task.common)


def _read_raise(task: Reading) -> Raise:
    return Raise(error=templates.compile(task.definition["raise"]["error"]), **task.common)


READERS: Mapping[str, Callable[[Reading], Task]] = {
    "do": _read_do,
    "set": _read_set,
    "switch": _read_switch,
    "call": _read_call,
    "wait": _read_wait,
    "raise": _read_raise,
}
