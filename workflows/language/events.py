"""Tasks and parts that have to do with events."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from workflows.language.tasks import Schema, Task, TaskList
from workflows.language.templates import Constant, Expression, Template

# What makes a text of a filter a regular expression; a dot alone does not, because event types are dotted names.
PATTERN = re.compile(r"[\\^$|?*+()\[\]{}]")
LONGEST_PATTERN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A value of the event's envelope that must be the expected one, or stay what it was first (R30)."""

    from_: str
    expect: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Attributes that an event must have: a value or regular expression, or a condition on the attribute (R28)."""

    with_: Mapping[str, Constant | Expression]
    correlate: Mapping[str, Correlation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """Which events are consumed: `one` filter, `all` of them in any order, or `any`; no filters mean every event.

    `until` ends an `any`: the jq text of a condition on the array of what was consumed (R29), or a strategy of its own.
    """

    mode: str
    filters: tuple[EventFilter, ...] = ()
    until: "str | Strategy | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreach:
    """What is done with each event, one after the other."""

    item: str = "item"
    at: str = "index"
    tasks: TaskList | None = None
    output_as: Template | None = None
    output_schema: Schema | None = None
    export_as: Template | None = None
    export_schema: Schema | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(Task):
    """An event: resolves to the attributes of a CloudEvent that the author gives."""

    kind: ClassVar[str] = "emit"
    event: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen(Task):
    """A wait for events; the output is always an array."""

    kind: ClassVar[str] = "listen"
    to: Strategy
    read: str = "data"
    foreach: Foreach | None = None

    def lists(self) -> tuple[TaskList, ...]:
        return () if self.foreach is None or self.foreach.tasks is None else (self.foreach.tasks,)
