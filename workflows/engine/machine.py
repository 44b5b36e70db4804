"""The engine's inner loop over a stack of frames.

A branch is one line of execution, so its live frames are a stack, kept as plain JSON (`Branch.cursor`, `frames`):

- a list frame `{"list": ref, "key": prefix, "i": index, "top": highest index entered, "visits": {...}, "raw": value}`
  stands before its task number `i`, whose raw input is `raw`;
- a task frame `{"task": ref, "key": key, "in": transformed input, "at": time}` is inside a task. With `"out"` the body
  is finished and its output waits to be transformed (`"then"` overrides the task's directive); without it, it rests.

A frame changes only after everything that may fault has been evaluated. So the stack always stands where Continue can
try again, and a crash at any point re-applies the message to the same cursor with the same result.
"""

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from workflows.engine.faults import Fault, fault
from workflows.engine.messages import CallFunction, Command, Complete, GoOn, SetTimer
from workflows.engine.services import RUNTIME, Facts, Scope, Services, date_time
from workflows.language import durations, templates
from workflows.language.program import (
    CONTINUE,
    END,
    EXIT,
    Call,
    Do,
    Program,
    Raise,
    Schema,
    Set,
    Switch,
    Task,
    TaskList,
    Wait,
)
from workflows.language.templates import ListOf, ObjectOf, Template

Frame = dict[str, Any]
BUDGET = 1_000


class Machine:
    """Runs tasks until one has to wait for the outside, the workflow ends, or the budget is used up."""

    def __init__(
        self, program: Program, cursor: dict[str, Any], context: Any, facts: Facts, services: Services, now: datetime
    ) -> None:
        self.program = program
        self.frames: list[Frame] = [copy.copy(frame) for frame in cursor.get("frames", [])]
        self.context = context
        self.facts = facts
        self.services = services
        self.now = now
        self.trace: list[str] = []

    def begin(self, raw: Any) -> None:
        """Put the root list on the empty stack. Raises Fault when the input breaks its schema or transformation."""
        data = self.program.input
        self._check(data.schema, raw, "input", "")
        first = self._transform(data.from_, raw, self._scope(None, raw), raw)
        self.frames = [_list_frame(self.program.tasks, "/do", first)]

    def run(self) -> Command:
        """Pass through tasks until a command for the outside results. Raises Fault; the stack then allows Continue."""
        for _ in range(BUDGET):
            top = self.frames[-1]
            if "list" not in top:
                self._leave(top)
            elif (command := self._enter(top)) is not None:
                return command
        task, key = self.position()
        return GoOn(key, task.ref if task else "", task.name if task else "")

    def position(self) -> tuple[Task | None, str]:
        """Return the task where the stack stands, with a key that is unique to this try of it."""
        if not self.frames:
            return None, "#begin"
        top = self.frames[-1]
        if "task" in top:
            return self.program.task_at(top["task"]), top["key"] + ("#leave" if "out" in top else "")
        tasks = self.program.list_at(top["list"])
        if top["i"] >= len(tasks):
            return None, top["key"] + "#end"
        return tasks[top["i"]], self._key(top, tasks[top["i"]]) + "#enter"

    # --- entering ---------------------------------------------------------------------------------------------------
    def _enter(self, frame: Frame) -> Command | None:
        tasks = self.program.list_at(frame["list"])
        if frame["i"] >= len(tasks):
            return self._end_of_list(frame["raw"])
        task, raw = tasks[frame["i"]], frame["raw"]
        key = self._key(frame, task)
        scope = self._scope(task, raw)
        if task.if_ is not None and not _truthy(self._evaluate(task.if_, raw, scope, task.ref)):
            self._note(frame, task)
            self.trace.append(f"{key} skipped")
            self._follow(task.then, raw)
            return None
        self._check(task.input_schema, raw, "input", task.ref)
        value = self._transform(task.input_from, raw, scope, raw, task.ref)
        entered: Frame = {"task": task.ref, "key": key, "in": value, "at": self.now.isoformat()}
        command = BODIES[type(task)](self, task, entered, self._scope(task, raw, value))
        self._note(frame, task)
        self.frames.append(entered)
        if isinstance(task, Do):
            self.frames.append(_list_frame(task.tasks, key + "/do", value))
        return command

    def _key(self, frame: Frame, task: Task) -> str:
        visit = frame.get("visits", {}).get(task.name, 0) + 1 if task.index <= frame["top"] else 0
        return f"{frame['key']}/{task.index}/{task.name}" + (f"[{visit}]" if visit else "")

    def _note(self, frame: Frame, task: Task) -> None:
        """Count the visit: a task at or before the highest index entered so far is entered again."""
        if task.index <= frame["top"]:
            visits = frame.get("visits", {})
            frame["visits"] = visits | {task.name: visits.get(task.name, 0) + 1}
        else:
            frame["top"] = task.index

    def _set(self, task: Set, frame: Frame, scope: Scope) -> None:
        frame["out"] = self._resolve(task.value, frame["in"], scope, task.ref)

    def _switch(self, task: Switch, frame: Frame, scope: Scope) -> None:
        chosen = next(
            (case for case in task.cases if _truthy(self._evaluate(case.when or "", frame["in"], scope, case.ref))),
            task.default,
        )
        frame["out"] = frame["in"]
        if chosen is not None:
            frame["then"] = chosen.then
            self.trace.append(f"{frame['key']} took {chosen.name}")

    def _do(self, task: Do, frame: Frame, scope: Scope) -> None:
        """Its list is pushed by the caller."""

    def _raise(self, task: Raise, frame: Frame, scope: Scope) -> None:
        error = self._resolve(task.error, frame["in"], scope, task.ref)
        if not isinstance(error, dict) or not isinstance(error.get("type"), str):
            raise fault("runtime", "raise needs an error with a type", instance=task.ref)
        raise Fault(error if "instance" in error else error | {"instance": task.ref})

    def _call(self, task: Call, frame: Frame, scope: Scope) -> Command:
        value = self._resolve(task.with_, frame["in"], scope, task.ref)
        return CallFunction(frame["key"], task.ref, task.name, task.function, task.version, value)

    def _wait(self, task: Wait, frame: Frame, scope: Scope) -> Command:
        pause = task.duration
        if isinstance(pause, str):
            value = self._evaluate(pause, frame["in"], scope, task.ref)
            try:
                pause = durations.parse_wait(value)
            except (ValueError, TypeError) as error:
                raise fault("expression", "not a duration", str(error), instance=task.ref) from None
        return SetTimer(frame["key"], task.ref, task.name, self.now + pause)

    # --- leaving ----------------------------------------------------------------------------------------------------
    def _leave(self, frame: Frame) -> None:
        task = self.program.task_at(frame["task"])
        raw, raw_out = self.frames[-2]["raw"], frame["out"]
        scope = self._scope(task, raw, frame["in"], raw_out, frame["at"])
        output = self._transform(task.output_as, raw_out, scope, raw_out, task.ref)
        self._check(task.output_schema, output, "output", task.ref)
        if task.export_as is not None:
            exported = self._resolve(
                task.export_as, output, self._scope(task, raw, frame["in"], output, frame["at"], raw_out), task.ref
            )
            self._check(task.export_schema, exported, "export", task.ref)
            self.context = exported
        elif task.export_schema is not None:
            self._check(task.export_schema, output, "export", task.ref)
        self.frames.pop()
        if task.kind not in ("call", "wait"):
            self.trace.append(frame["key"])
        self._follow(frame.get("then", task.then), output)

    def _follow(self, directive: str, output: Any) -> None:
        """Move the list frame on top (`end`: the root's) as the directive says. Its `raw` becomes the output.

        Leaving a list only moves to its end: what the scope's end evaluates may fault, and must not run the task again.
        """
        if directive == END:
            del self.frames[1:]
        frame = self.frames[-1]
        tasks = self.program.list_at(frame["list"])
        if directive in (END, EXIT):
            frame["i"] = len(tasks)
        else:
            frame["i"] = frame["i"] + 1 if directive == CONTINUE else tasks.index_of(directive)
        frame["raw"] = output

    def _end_of_list(self, output: Any) -> Command | None:
        """A scope is complete: its task's body is, or the whole workflow."""
        if len(self.frames) == 1:
            return self._complete(output)
        self.frames.pop()
        self.frames[-1]["out"] = output
        return None

    def _complete(self, output: Any) -> Command:
        data = self.program.output
        result = self._transform(data.as_, output, self._scope(None, output), output)
        self._check(data.schema, result, "output", "")
        self.frames = []
        return Complete(result)

    # --- data -------------------------------------------------------------------------------------------------------
    def _scope(
        self, task: Task | None, raw: Any, value: Any = None, output: Any = None, at: str = "", raw_out: Any = None
    ) -> Scope:
        makers: dict[str, Callable[[], Any]] = {
            "context": lambda: self.context,
            "input": lambda: value,
            "output": lambda: output,
            "workflow": self._workflow,
            "runtime": lambda: RUNTIME | {"metadata": {}},
        }
        if task is not None:
            makers["task"] = lambda: {
                "name": task.name,
                "reference": task.ref,
                "definition": dict(task.definition),
                "input": raw,
                "output": output if raw_out is None else raw_out,
                "startedAt": date_time(datetime.fromisoformat(at) if at else self.now),
            }
        return Scope(makers)

    def _workflow(self) -> dict[str, Any]:
        return {
            "id": self.facts.run,
            "definition": dict(self.program.document),
            "input": self.facts.input,
            "startedAt": date_time(self.facts.started_at.astimezone(UTC)),
        }

    def _evaluate(self, text: str, dot: Any, scope: Mapping[str, Any], ref: str) -> Any:
        try:
            return self.services.evaluate(text, dot, scope)
        except Fault as error:
            error.error.setdefault("instance", ref)
            raise

    def _resolve(self, template: Template, dot: Any, scope: Mapping[str, Any], ref: str) -> Any:
        value = templates.resolve(template, lambda text: self._evaluate(text, dot, scope, ref))
        if isinstance(template, ObjectOf | ListOf):  # a single expression's result was checked when it was evaluated
            reason = self.services.unfit(value)
            if reason:
                raise fault("expression", "the value cannot be kept", reason, instance=ref)
        return value

    def _transform(
        self, template: Template | None, dot: Any, scope: Mapping[str, Any], otherwise: Any, ref: str = ""
    ) -> Any:
        return otherwise if template is None else self._resolve(template, dot, scope, ref)

    def _check(self, schema: Schema | None, value: Any, what: str, ref: str) -> None:
        problems = [] if schema is None else self.services.problems(schema, value)
        if problems:
            raise fault("validation", f"{what} breaks its schema", "; ".join(problems), instance=ref)


Body = Callable[[Machine, Any, Frame, Scope], Command | None]
BODIES: Mapping[type[Task], Body] = {
    Do: Machine._do,  # noqa: SLF001
    Set: Machine._set,  # noqa: SLF001
    Switch: Machine._switch,  # noqa: SLF001
    Call: Machine._call,  # noqa: SLF001
    Wait: Machine._wait,  # noqa: SLF001
    Raise: Machine._raise,  # noqa: SLF001
}


def _list_frame(tasks: TaskList, key: str, raw: Any) -> Frame:
    return {"list": tasks.ref, "key": key, "i": 0, "top": -1, "raw": raw}


def _truthy(value: Any) -> bool:
    """Tell what jq calls true: everything but false and null."""
    return value is not None and value is not False
