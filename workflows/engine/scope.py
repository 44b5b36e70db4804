"""The variables that the expressions of a task see (§1.7).

Each is computed when an expression mentions it, and kept for the next mention. Most expressions mention none (`.n`), so
making a scope only notes where it was made: it has to be used before the stack changes.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workflows.engine.frames import place
from workflows.engine.services import RUNTIME, date_time
from workflows.language.program import Task

if TYPE_CHECKING:
    from workflows.engine.data import Data

Makers = dict[str, Callable[[], Any]]


class Scope(Mapping[str, Any]):
    """What the expressions of a task see, or of the workflow itself where there is no `task`.

    `value` is the task's transformed input, `more` are its own variables. An inner variable shadows an outer one (R8).
    """

    __slots__ = ("_made", "_own", "at", "data", "key", "more", "output", "raw", "raw_out", "task", "value")

    def __init__(
        self,
        data: "Data",
        task: Task | None,
        key: str,
        raw: Any = None,
        value: Any = None,
        output: Any = None,
        at: str = "",
        raw_out: Any = None,
        more: Makers | None = None,
    ) -> None:
        self.data, self.task, self.key, self.at, self.more = data, task, key, at, more
        self.raw, self.value, self.output, self.raw_out = raw, value, output, raw_out
        self._own: Makers | None = None
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            own = self._inner.get(name)
            self._made[name] = own() if own else self._outer[name](self)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._outer or name in self._inner

    def __iter__(self) -> Iterator[str]:
        return iter({**self._outer, **self._inner})

    def __len__(self) -> int:
        return len({**self._outer, **self._inner})

    @property
    def _outer(self) -> "Mapping[str, Callable[[Scope], Any]]":
        return OF_WORKFLOW if self.task is None else OF_TASK

    @property
    def _inner(self) -> Makers:
        """Return the variables of the blocks around the task and its own."""
        if self._own is None:
            around = {} if self.task is None else self.data.makers()
            self._own = around | self.more if self.more else around
        return self._own


def _workflow(scope: Scope) -> dict[str, Any]:
    facts = scope.data.facts
    return {
        "id": facts.run,
        "definition": dict(scope.data.program.document),
        "input": facts.input,
        "startedAt": date_time(facts.started_at.astimezone(UTC)),
    }


def _runtime(scope: Scope) -> dict[str, Any]:
    facts = scope.data.facts
    metadata = {"webhookUrl": facts.webhook()}
    if scope.key:
        metadata["activationId"] = f"{facts.run}:{place(scope.key)}"
    return RUNTIME | {"metadata": metadata}


def _task(scope: Scope) -> dict[str, Any]:
    task, at = scope.task, scope.at
    assert task is not None  # noqa: S101 - for mypy
    return {
        "name": task.name,
        "reference": task.ref,
        "definition": dict(task.definition),
        "input": scope.raw,
        "output": scope.output if scope.raw_out is None else scope.raw_out,
        "startedAt": date_time(datetime.fromisoformat(at) if at else scope.data.now),
    }


OF_WORKFLOW: Mapping[str, Callable[[Scope], Any]] = {
    "context": lambda scope: scope.data.context,
    "workflow": _workflow,
    "runtime": _runtime,
    "secrets": lambda scope: scope.data.services.secrets(scope.data.program.secrets),
}
OF_TASK: Mapping[str, Callable[[Scope], Any]] = {
    **OF_WORKFLOW,
    "input": lambda scope: scope.value,
    "output": lambda scope: scope.output,
    "task": _task,
}
