"""A task: its name, its definition, and what every task may have beside its own work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflows.build.checking import check_task, refuse
from workflows.build.values import duration, given, plain

Items = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a workflow. Methods return a changed copy; what cannot be published raises BuildError at once."""

    name: str
    definition: Mapping[str, Any]
    made_by: str = field(default="task", compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "definition", plain(self._label, self.definition))
        check_task(self._label, self.name, self.definition)

    def if_(self, condition: str) -> "Task":
        """Run it only if the condition holds; otherwise its input passes through."""
        return self._with("if_", {"if": condition})

    def then(self, directive: str) -> "Task":
        """Go on at `continue`, `exit`, `end` or a task of the same list."""
        return self._with("then", {"then": directive})

    def input(self, from_: Any = None, *, schema: Mapping[str, Any] | None = None) -> "Task":
        """Check its input against a JSON Schema, and transform it."""
        return self._with("input", {"input": data("from", from_, schema)})

    def output(self, as_: Any = None, *, schema: Mapping[str, Any] | None = None) -> "Task":
        """Transform its output, and check the result against a JSON Schema."""
        return self._with("output", {"output": data("as", as_, schema)})

    def export(self, as_: Any = None, *, schema: Mapping[str, Any] | None = None) -> "Task":
        """Set `$context`."""
        return self._with("export", {"export": data("as", as_, schema)})

    def timeout(self, after: Any = None, *, use: str | None = None, **units: int) -> "Task":
        """Fail with `timeout` after a duration, or one that `use.timeouts` names."""
        label = f"{self._label}.timeout"
        return self._with("timeout", {"timeout": use or {"after": duration(label, after, units)}})

    def undo(self, function: str, with_: Mapping[str, Any] | None = None, /, **arguments: Any) -> "Task":
        """Say how it is undone; `$input` and `$output` in the arguments are those of this task."""
        return self._dotdo("undo", undo={"call": function, "with": {**(with_ or {}), **arguments}})

    def saga(self) -> "Task":
        """Make it the scope of undo: a fault that leaves it undoes what was done inside."""
        return self._dotdo("saga", saga=True)

    def idempotency_key(self, key: str) -> "Task":
        """Replace the idempotency key that its effect gets."""
        return self._dotdo("idempotency_key", idempotencyKey=key)

    def metadata(self, **values: Any) -> "Task":
        """Note something for other tools; nothing here reads it."""
        return self._with("metadata", {"metadata": {**self.definition.get("metadata", {}), **values}})

    def as_item(self) -> dict[str, Any]:
        """Return the task as an item of a task list."""
        return {self.name: plain(self._label, self.definition)}

    @property
    def _label(self) -> str:
        return f'{self.made_by}("{self.name}")'

    def _dotdo(self, method: str, **values: Any) -> "Task":
        known = self.definition.get("metadata", {})
        dotdo = {**known.get("dotdo", {}), **values}
        return self._with(method, {"metadata": {**known, "dotdo": dotdo}})

    def _with(self, method: str, parts: Mapping[str, Any]) -> "Task":
        made = plain(f"{self._label}.{method}", parts)
        return Task(self.name, {**self.definition, **made}, self.made_by)


def task_list(made_by: str, tasks: Sequence[Task]) -> Items:
    """Return tasks as a document lists them. Raises BuildError for what is not a task."""
    if isinstance(tasks, Task):
        raise refuse(made_by, "give a list of tasks, not one task")
    for index, task in enumerate(tasks):
        if not isinstance(task, Task):
            hint = "; finish it with .catch(...)" if hasattr(task, "catch") else ""
            raise refuse(made_by, f"this is not a task but {type(task).__name__}{hint}", f"/{index}")
    return [task.as_item() for task in tasks]


def data(transform: str, value: Any, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return an `input`, `output` or `export`."""
    return given(schema=None if schema is None else {"document": schema}, **{transform: value})
