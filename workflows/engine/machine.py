"""The engine's inner loop: enter tasks, leave them, follow their directives, until something must be waited for.

A frame changes only after everything that may fault has been evaluated. So the stack always stands where Continue can
try again, and a crash at any point re-applies the message to the same cursor with the same result.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from workflows.engine import blocks, catching, leaves, listening
from workflows.engine.data import Data
from workflows.engine.faults import Fault
from workflows.engine.frames import Frame, Frames, list_frame, place
from workflows.engine.messages import ArmTimer, BranchDone, Command, Complete, GoOn, PushUndo
from workflows.engine.scope import Scope
from workflows.engine.services import Facts, Services
from workflows.language import program as language
from workflows.language.program import CONTINUE, END, EXIT, Call, Program, Task

BUDGET = 1_000
QUIET = ("call", "wait", "emit", "listen", "run", "fork")  # their steps and branches tell the path themselves

# What the body of a task opens: a list to go through, a command to rest with, or nothing when its output is there.
Opened = Command | Frame | None
Body = Callable[["Machine", Any, Frame, Mapping[str, Any]], Opened]
After = Callable[["Machine", Any, Frame, Any], Command | None]


class Machine:
    """Runs tasks until one has to wait for the outside, the workflow ends, or the budget is used up."""

    def __init__(
        self, program: Program, cursor: dict[str, Any], context: Any, facts: Facts, services: Services, now: datetime
    ) -> None:
        self.program = program
        self.frames = Frames(cursor)
        self.data = Data(program, self.frames, context, facts, services, now)
        self.trace: list[str] = []
        self.undo: list[PushUndo] = []
        self._left = BUDGET

    def begin(self, raw: Any) -> None:
        """Put the root list on the empty stack. Raises Fault when the input breaks its schema or transformation."""
        data, scope = self.program.input, self.data.workflow_scope()
        self.data.check(data.schema, raw, "input", "")
        self.begin_with(self.data.transform(data.from_, raw, scope), raw)

    def begin_with(self, first: Any, raw: Any) -> None:
        """Put the root list on the empty stack, with the input of its first task; the workflow's timeout begins."""
        if self.program.timeout is not None and not self.frames.timer:
            scope = self.data.workflow_scope()
            due = self.data.now + self.data.duration(self.program.timeout, raw, scope, "/timeout")
            self.frames.timer = "#timeout"
            self.frames.armed.append(ArmTimer("#timeout", "/timeout", self.program.name, due))
        self.frames.stack = [list_frame(self.program.tasks, "/do", first)]

    def begin_branch(self, branch: dict[str, Any]) -> None:
        """Put the one task of a fork's branch on the empty stack."""
        tasks = self.program.list_at(branch["list"])
        start = list_frame(tasks, branch["key"], branch["raw"])
        self.frames.stack = [start | {"i": branch["i"], "top": branch["i"] - 1, "end": branch["i"] + 1}]

    def drive(self, first: Callable[[], Command | None]) -> Command:
        """Do `first`, then pass through tasks; faults go to who catches them. Raises Fault when nobody does."""
        step = first
        while True:
            try:
                return step() or self._run()
            except Fault as error:
                step = catching.handler(self, error)

    def position(self) -> tuple[Task | None, str]:
        """Return the task where the stack stands, with a key that is unique to this try of it."""
        if not self.frames.stack:
            return None, "#begin"
        top = self.frames.top
        if "task" in top:
            key = f"{top['key']}@{top['attempt']}/again" if catching.stands_between_attempts(top) else top["key"]
            return self.program.task_at(top["task"]), key + ("#leave" if "out" in top else "")
        tasks = self.program.list_at(top["list"])
        if top["i"] >= top.get("end", len(tasks)):
            branch = f"/{top['end'] - 1}" if "end" in top else ""  # the branches of a fork have their list in common
            return None, f"{top['key']}{branch}#end"
        return tasks[top["i"]], self._key(top, tasks[top["i"]]) + "#enter"

    def _run(self) -> Command:
        while self._left > 0:
            self._left -= 1
            top = self.frames.top
            if "list" not in top:
                self._leave(top)
            elif (command := self._enter(top)) is not None:
                return command
        task, key = self.position()
        return GoOn(key, task.ref if task else "", task.name if task else "")

    # --- entering ---------------------------------------------------------------------------------------------------
    def _enter(self, frame: Frame) -> Command | None:
        tasks = self.program.list_at(frame["list"])
        if frame["i"] >= frame.get("end", len(tasks)):
            return self._end_of_list(frame["raw"])
        task, raw = tasks[frame["i"]], frame["raw"]
        key = self._key(frame, task)
        scope = Scope(self.data, task, key, raw)
        if not self.data.truthy(task.if_, raw, scope, task.ref):
            self._note(frame, task)
            self.trace.append(f"{key} skipped")
            self._follow(task.then, raw)
            return None
        self.data.check(task.input_schema, raw, "input", task.ref)
        value = self.data.transform(task.input_from, raw, scope, task.ref)
        return self._open(frame, task, raw, {"task": task.ref, "key": key, "in": value, "at": self.data.at})

    def _open(self, frame: Frame, task: Task, raw: Any, entered: Frame) -> Command | None:
        scope = self.data.body_scope(task, entered, raw)
        pause = None if task.timeout is None else self.data.duration(task.timeout, entered["in"], scope, task.ref)
        opened = BODIES[type(task)](self, task, entered, scope)
        self._note(frame, task)
        self.frames.stack.append(entered)
        if pause is not None and "out" not in entered:
            timer = ArmTimer(f"{entered['key']}#timeout", task.ref, task.name, self.data.now + pause)
            self.frames.arm(entered, timer)
        if isinstance(opened, dict):
            self.frames.stack.append(opened)
            return None
        return opened

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

    def skip(self, output: Any) -> Command | None:
        """Leave the task or the end of a list that faulted, with this output instead."""
        top = self.frames.top
        if "task" in top:
            task = self.program.task_at(self.frames.pop()["task"])
            self._follow(top.get("then", task.then), output)
            return None
        tasks = self.program.list_at(top["list"])
        if top["i"] < top.get("end", len(tasks)):
            task = tasks[top["i"]]
            self._note(top, task)
            self._follow(task.then, output)
        elif len(self.frames.stack) > 1:
            self.frames.pop()
            self.frames.top["out"] = output
        else:
            self.frames.stack = []
            self.frames.end_all_timers()
            return Complete(output)
        return None

    # --- leaving ----------------------------------------------------------------------------------------------------
    def _leave(self, frame: Frame) -> None:
        task = self.program.task_at(frame["task"])
        key, raw, raw_out = frame["key"], self.frames.stack[-2]["raw"], frame["out"]
        output = raw_out
        if task.output_as is not None:
            scope = Scope(self.data, task, key, raw, frame["in"], raw_out, frame["at"])
            output = self.data.resolve(task.output_as, raw_out, scope, task.ref)
        self.data.check(task.output_schema, output, "output", task.ref)
        after = Scope(self.data, task, key, raw, frame["in"], output, frame["at"], raw_out)
        exported = self._exported(task, output, after)
        undo = self._recorded_undo(task, frame, output, after)
        self.data.context = exported
        self.undo += undo
        self.frames.pop()
        if task.kind not in QUIET or leaves.compensates(task):
            self.trace.append(key)
        self._follow(frame.get("then", task.then), output)

    def _exported(self, task: Task, output: Any, scope: Mapping[str, Any]) -> Any:
        if task.export_as is None and task.export_schema is None:
            return self.data.context
        exported = self.data.transform(task.export_as, output, scope, task.ref)
        self.data.check(task.export_schema, exported, "export", task.ref)
        return self.data.context if task.export_as is None else exported

    def _recorded_undo(self, task: Task, frame: Frame, output: Any, scope: Mapping[str, Any]) -> list[PushUndo]:
        if not isinstance(task, Call) or task.undo is None:
            return []
        spec = task.undo
        if spec.with_ is not None:
            value = self.data.resolve(spec.with_, output, scope, task.ref)
        else:
            value = leaves.undo_arguments(spec.fields, output, frame.get("arguments"))
        key = frame["key"]
        return [PushUndo(place(key), key, task.ref, task.name, spec.function, spec.version, value)]

    def _follow(self, directive: str, output: Any) -> None:
        """Move the list frame on top (`end`: the root's) as the directive says. Its `raw` becomes the output.

        Leaving a list only moves to its end: what the scope's end evaluates may fault, and must not run the task again.
        """
        if directive == END:
            self.frames.cut_to(1)
            self.frames.top["ended"] = True
        frame = self.frames.top
        tasks = self.program.list_at(frame["list"])
        if directive in (END, EXIT):
            frame["i"] = frame.get("end", len(tasks))
        else:
            frame["i"] = frame["i"] + 1 if directive == CONTINUE else tasks.index_of(directive)
        frame["raw"] = output

    def _end_of_list(self, output: Any) -> Command | None:
        """A scope is complete: its task's body is, or the branch, or the whole workflow."""
        stack = self.frames.stack
        if len(stack) > 1:
            task = self.program.task_at(stack[-2]["task"])
            return AFTERS[type(task)](self, task, stack[-2], output)
        if self.frames.branch is not None and not stack[0].get("ended"):
            self.frames.stack = []
            return BranchDone(output)
        return self._complete(output)

    def _complete(self, output: Any) -> Command:
        if self.data.facts.stopped:
            return GoOn(self.position()[1], "", self.program.name)
        data = self.program.output
        result = self.data.transform(data.as_, output, self.data.workflow_scope())
        self.data.check(data.schema, result, "output", "")
        self.frames.stack = []
        self.frames.end_all_timers()
        return Complete(result)


BODIES: Mapping[type[Task], Body] = {
    language.Do: blocks.open_do,
    language.For: blocks.open_for,
    language.Try: blocks.open_try,
    language.Set: leaves.set_value,
    language.Switch: leaves.switch,
    language.Raise: leaves.raise_error,
    language.Fork: leaves.fork,
    language.Call: leaves.call,
    language.Wait: leaves.wait,
    language.Emit: leaves.emit,
    language.RunWorkflow: leaves.run_workflow,
    language.Listen: listening.open_listen,
}
AFTERS: Mapping[type[Task], After] = {
    language.Do: blocks.after_do,
    language.For: blocks.after_for,
    language.Try: blocks.after_try,
    language.Listen: listening.after_body,
}
