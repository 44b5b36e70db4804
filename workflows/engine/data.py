"""What expressions see and what becomes of data: scopes, evaluation, schemas (§1.7, §1.8)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from workflows.engine.faults import Fault, fault
from workflows.engine.frames import Frame, Frames, place
from workflows.engine.services import RUNTIME, Facts, Scope, Services, date_time
from workflows.language import durations, templates
from workflows.language.program import For, Listen, Program, Schema, Task, Try
from workflows.language.templates import ListOf, ObjectOf, Template

Makers = dict[str, Callable[[], Any]]


class Data:
    """Evaluates for one advance: `context` is the run's data cell as it changes on the way."""

    def __init__(
        self, program: Program, frames: Frames, context: Any, facts: Facts, services: Services, now: datetime
    ) -> None:
        self.program = program
        self.frames = frames
        self.context = context
        self.facts = facts
        self.services = services
        self.now = now

    def workflow_scope(self) -> Scope:
        """Return what the workflow's own `input.from` and `output.as` see."""
        return Scope(self._everywhere(""))

    def scope(
        self,
        task: Task,
        key: str,
        raw: Any,
        value: Any = None,
        output: Any = None,
        at: str = "",
        raw_out: Any = None,
        more: Mapping[str, Callable[[], Any]] | None = None,
    ) -> Scope:
        """Return what the expressions of a task see. `value` is its transformed input, `more` its own variables."""
        makers: Makers = self._everywhere(key)
        makers |= {
            "input": lambda: value,
            "output": lambda: output,
            "task": lambda: {
                "name": task.name,
                "reference": task.ref,
                "definition": dict(task.definition),
                "input": raw,
                "output": output if raw_out is None else raw_out,
                "startedAt": date_time(datetime.fromisoformat(at) if at else self.now),
            },
        }
        return Scope(makers | self._variables() | dict(more or {}))

    def body_scope(
        self, task: Task, frame: Frame, raw: Any, more: Mapping[str, Callable[[], Any]] | None = None
    ) -> Scope:
        """Return what expressions inside a running task see (R23: the secrets' markers too)."""
        return self.scope(task, frame["key"], raw, frame["in"], at=frame["at"], more=more)

    def variables(self) -> dict[str, Any]:
        """Return the loop and error variables that are visible where the stack stands."""
        return {name: make() for name, make in self._variables().items()}

    def evaluate(self, text: str, dot: Any, scope: Mapping[str, Any], ref: str) -> Any:
        """Return the value of a jq text. Raises Fault with `ref` as its instance."""
        try:
            return self.services.evaluate(text, dot, scope)
        except Fault as error:
            error.error.setdefault("instance", ref)
            raise

    def truthy(self, text: str | None, dot: Any, scope: Mapping[str, Any], ref: str) -> bool:
        """Tell whether a condition holds; an absent one does. Truth is jq's: everything but false and null."""
        if text is None:
            return True
        value = self.evaluate(text, dot, scope, ref)
        return value is not None and value is not False

    def resolve(self, template: Template, dot: Any, scope: Mapping[str, Any], ref: str) -> Any:
        """Return the value of data with expressions inside. Raises Fault."""
        value = templates.resolve(template, lambda text: self.evaluate(text, dot, scope, ref))
        if isinstance(template, ObjectOf | ListOf):  # a single expression's result was checked when it was evaluated
            reason = self.services.unfit(value)
            if reason:
                raise fault("expression", "the value cannot be kept", reason, instance=ref)
        return value

    def transform(self, template: Template | None, dot: Any, scope: Mapping[str, Any], ref: str = "") -> Any:
        """Return `dot` transformed; as it is when there is no transformation."""
        return dot if template is None else self.resolve(template, dot, scope, ref)

    def check(self, schema: Schema | None, value: Any, what: str, ref: str) -> None:
        """Raise Fault of type `validation` when the value breaks the schema."""
        problems = [] if schema is None else self.services.problems(schema, value)
        if problems:
            raise fault("validation", f"{what} breaks its schema", "; ".join(problems), instance=ref)

    def duration(self, value: timedelta | str, dot: Any, scope: Mapping[str, Any], ref: str) -> timedelta:
        """Return a duration, evaluated if it is an expression. Raises Fault."""
        if isinstance(value, timedelta):
            return value
        try:
            return durations.parse_wait(self.evaluate(value, dot, scope, ref))
        except (ValueError, TypeError) as error:
            raise fault("expression", "not a duration", str(error), instance=ref) from None

    def _everywhere(self, key: str) -> Makers:
        return {
            "context": lambda: self.context,
            "workflow": self._workflow,
            "runtime": lambda: self._runtime(key),
            "secrets": lambda: self.services.secrets(self.program.secrets),
        }

    def _workflow(self) -> dict[str, Any]:
        return {
            "id": self.facts.run,
            "definition": dict(self.program.document),
            "input": self.facts.input,
            "startedAt": date_time(self.facts.started_at.astimezone(UTC)),
        }

    def _runtime(self, key: str) -> dict[str, Any]:
        metadata = {"webhookUrl": self.facts.webhook()}
        if key:
            metadata["activationId"] = f"{self.facts.run}:{place(key)}"
        return RUNTIME | {"metadata": metadata}

    def _variables(self) -> Makers:
        """Collect from the outside in, so that an inner variable shadows an outer one (R8)."""
        makers: Makers = {name: lambda value=value: value for name, value in self.frames.base.get("vars", {}).items()}  # type: ignore[misc]
        for frame in self.frames.stack:
            if "task" in frame and "out" not in frame:
                makers |= frame_variables(self.program.task_at(frame["task"]), frame)
        return makers


def frame_variables(task: Task, frame: Frame) -> Makers:
    """Return the variables that a block gives to what is inside it."""
    if isinstance(task, For) and frame.get("items"):
        return {task.each: lambda: frame["items"][frame["n"]], task.at: lambda: frame["n"]}
    if isinstance(task, Try) and frame.get("block") == "catch":
        return {task.catch.as_: lambda: frame["error"]}
    if isinstance(task, Listen) and task.foreach and "busy" in frame:
        return {task.foreach.item: lambda: frame["busy"], task.foreach.at: lambda: frame["n"]}
    return {}
