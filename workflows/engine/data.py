"""What becomes of data: evaluation, templates, schemas (§1.8); `scope` has what expressions see."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from workflows.engine.faults import Fault, fault
from workflows.engine.frames import Frame, Frames
from workflows.engine.scope import Makers, Scope
from workflows.engine.services import Facts, Services
from workflows.language import durations, templates
from workflows.language.program import For, Listen, Program, Schema, Task, Try
from workflows.language.templates import Constant, Expression, Template


class Data:
    """Evaluates for one advance: `context` is the run's data cell as it changes on the way."""

    def __init__(
        self, program: Program, frames: Frames, context: Any, facts: Facts, services: Services, now: datetime
    ) -> None:
        self.program: Program = program
        self.frames: Frames = frames
        self.context: Any = context
        self.facts: Facts = facts
        self.services: Services = services
        self.now: datetime = now
        self.at: str = now.isoformat()

    def workflow_scope(self) -> Scope:
        """Return what the workflow's own `input.from` and `output.as` see."""
        return Scope(self, None, "")

    def body_scope(self, task: Task, frame: Frame, raw: Any, more: Makers | None = None) -> Scope:
        """Return what expressions inside a running task see (R23: the secrets' markers too)."""
        return Scope(self, task, frame["key"], raw, frame["in"], at=frame["at"], more=more)

    def variables(self) -> dict[str, Any]:
        """Return the loop and error variables that are visible where the stack stands."""
        return {name: make() for name, make in self.makers().items()}

    def makers(self) -> Makers:
        """Return what makes them; an inner variable shadows an outer one (R8)."""
        makers: Makers = {name: lambda value=value: value for name, value in self.frames.base.get("vars", {}).items()}  # type: ignore[misc]
        for frame in self.frames.stack:
            if "task" in frame and "out" not in frame:
                makers |= frame_variables(self.program.task_at(frame["task"]), frame)
        return makers

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
        if isinstance(template, Constant):
            return template.value
        if isinstance(template, Expression):
            return self.evaluate(template.text, dot, scope, ref)
        value = templates.resolve(template, lambda text: self.evaluate(text, dot, scope, ref))
        reason = self.services.unfit(value)  # that of a single expression was looked at when it was evaluated
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


def frame_variables(task: Task, frame: Frame) -> Makers:
    """Return the variables that a block gives to what is inside it."""
    if isinstance(task, For) and frame.get("items"):
        return {task.each: lambda: frame["items"][frame["n"]], task.at: lambda: frame["n"]}
    if isinstance(task, Try) and frame.get("block") == "catch":
        return {task.catch.as_: lambda: frame["error"]}
    if isinstance(task, Listen) and task.foreach and "busy" in frame:
        return {task.foreach.item: lambda: frame["busy"], task.foreach.at: lambda: frame["n"]}
    return {}
