"""A workflow document as the engine reads it.

`build` assumes a document that `validate` found free of problems, and the lock made from it at publish. To add a kind
of task: its dataclass in `tasks` or `events`, its reader in `reading.kinds`, its checker in `checks.kinds`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from workflows.language import durations
from workflows.language.events import Correlation, Emit, EventFilter, Foreach, Listen, Strategy
from workflows.language.reading.kinds import read_tasks
from workflows.language.reading.parts import read_schema, read_strategy, read_timeout, read_transform
from workflows.language.tasks import (
    CONTINUE,
    DIRECTIVES,
    END,
    EXIT,
    Call,
    Case,
    Catch,
    Do,
    Duration,
    For,
    Fork,
    Raise,
    RetryPolicy,
    RunWorkflow,
    Schema,
    Set,
    Switch,
    Task,
    TaskList,
    Try,
    UndoSpec,
    Wait,
)
from workflows.language.templates import Template

__all__ = [
    "CONTINUE",
    "DIRECTIVES",
    "END",
    "EXIT",
    "Call",
    "Case",
    "Catch",
    "Correlation",
    "DataIn",
    "DataOut",
    "Do",
    "Duration",
    "Emit",
    "EventFilter",
    "For",
    "Foreach",
    "Fork",
    "Listen",
    "Program",
    "Raise",
    "RetryPolicy",
    "RunWorkflow",
    "Schedule",
    "Schema",
    "Set",
    "Strategy",
    "Switch",
    "Task",
    "TaskList",
    "Try",
    "UndoSpec",
    "Wait",
    "build",
]


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
class Schedule:
    """When the workflow starts by itself: `interval` with every and after, `cron` with cron, `strategy` with on."""

    kind: str
    interval: timedelta | None = None
    cron: str | None = None
    timezone: str = "UTC"
    strategy: Strategy | None = None
    read: str = "envelope"
    missed: str = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A whole workflow. `lock` holds the exact versions of all that it calls (see `locking`)."""

    document: Mapping[str, Any]
    namespace: str
    name: str
    version: str
    metadata: Mapping[str, Any]
    input: DataIn
    output: DataOut
    timeout: Duration | None = None
    schedule: Schedule | None = None
    secrets: tuple[str, ...] = ()
    on_fault: str = "park"
    tasks: TaskList
    lock: Mapping[str, Any]
    by_ref: Mapping[str, Task] = field(repr=False, compare=False)
    lists_by_ref: Mapping[str, TaskList] = field(repr=False, compare=False)

    def task_at(self, ref: str) -> Task:
        """Return the task with this pointer. Raises KeyError."""
        return self.by_ref[ref]

    def list_at(self, ref: str) -> TaskList:
        """Return the task list with this pointer. Raises KeyError."""
        return self.lists_by_ref[ref]


def build(document: Mapping[str, Any], lock: Mapping[str, Any]) -> Program:
    """Return the program of a valid document. `lock` comes from `locking.lock_functions`."""
    about, use = document["document"], document.get("use", {})
    metadata = about.get("metadata", {})
    tasks = read_tasks(document, lock)
    lists = list(_walk(tasks))
    incoming, outgoing = document.get("input", {}), document.get("output", {})
    return Program(
        document=document,
        namespace=about["namespace"],
        name=about["name"],
        version=about["version"],
        metadata=metadata,
        input=DataIn(schema=read_schema(incoming), from_=read_transform(incoming, "from")),
        output=DataOut(schema=read_schema(outgoing), as_=read_transform(outgoing, "as")),
        timeout=read_timeout(document, use),
        schedule=_read_schedule(document["schedule"], metadata) if "schedule" in document else None,
        secrets=tuple(use.get("secrets", ())),
        on_fault=metadata.get("dotdo", {}).get("onFault", "park"),
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


def _read_schedule(given: Mapping[str, Any], metadata: Mapping[str, Any]) -> Schedule:
    kind = next(kind for kind in ("every", "cron", "after", "on") if kind in given)
    own = metadata.get("dotdo", {})
    return Schedule(
        kind=kind,
        interval=durations.parse(given[kind]) if kind in ("every", "after") else None,
        cron=given.get("cron"),
        timezone=own.get("timezone", metadata.get("timezone", "UTC")),
        strategy=read_strategy(given["on"]) if kind == "on" else None,
        read=given.get("read", "envelope"),
        missed=own.get("missed", "latest"),
    )
