"""Tasks that hold lists of tasks: `do`, `for` and the first half of `try` (the other is `catching`)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflows.engine.data import frame_variables
from workflows.engine.faults import fault
from workflows.engine.frames import Frame, list_frame
from workflows.engine.messages import ArmTimer
from workflows.language.program import Do, For, Try

if TYPE_CHECKING:
    from workflows.engine.machine import Machine

Scope = Mapping[str, Any]


def open_do(machine: "Machine", task: Do, frame: Frame, scope: Scope) -> Frame:
    """Go through the list."""
    return list_frame(task.tasks, f"{frame['key']}/do", frame["in"])


def after_do(machine: "Machine", task: Do, frame: Frame, output: Any) -> None:
    """The list is through: its last output is the task's."""
    machine.frames.stack.pop()
    frame["out"] = output


def open_for(machine: "Machine", task: For, frame: Frame, scope: Scope) -> Frame | None:
    """Evaluate the collection, once, and begin with its first item, if any."""
    items = machine.data.resolve(task.in_, frame["in"], scope, task.ref)
    if items is None:
        items = []
    if not isinstance(items, list):
        raise fault("expression", "`for.in` must give an array", f"it gave {type(items).__name__}", instance=task.ref)
    state = {**frame, "items": items, "n": 0, "cur": frame["in"]}
    if not _goes_on(machine, task, state):
        frame["out"] = frame["in"]
        return None
    frame |= {"items": items, "n": 0, "cur": frame["in"]}
    return _iteration(machine, task, frame)


def after_for(machine: "Machine", task: For, frame: Frame, output: Any) -> None:
    """An iteration is through: its output is the next one's input (§1.5)."""
    state = {**frame, "n": frame["n"] + 1, "cur": output}
    goes_on = _goes_on(machine, task, state)
    machine.frames.stack.pop()
    frame |= {"n": state["n"], "cur": output}
    if goes_on:
        machine.frames.stack.append(_iteration(machine, task, frame))
    else:
        for cell in ("items", "cur"):
            del frame[cell]
        frame["out"] = output


def _goes_on(machine: "Machine", task: For, state: Frame) -> bool:
    """Tell whether there is another item and `while` holds for it (R9)."""
    if state["n"] >= len(state["items"]):
        return False
    if task.while_ is None:
        return True
    scope = machine.data.body_scope(task, state, None, frame_variables(task, state))
    return machine.data.truthy(task.while_, state["cur"], scope, task.ref)


def _iteration(machine: "Machine", task: For, frame: Frame) -> Frame:
    machine.trace.append(f"{frame['key']} iteration {frame['n'] + 1} of {len(frame['items'])}")
    return list_frame(task.tasks, f"{frame['key']}@{frame['n']}/do", frame["cur"])


def open_try(machine: "Machine", task: Try, frame: Frame, scope: Scope) -> Frame:
    """Begin the first attempt."""
    frame["first"] = frame["at"]
    return attempt(machine, task, frame, 1)


def attempt(machine: "Machine", task: Try, frame: Frame, number: int) -> Frame:
    """Return the list frame of an attempt, which begins with the task's input; its own time limit starts (§1.9)."""
    retry, key = task.catch.retry, frame["key"]
    if retry and retry.attempt_timeout is not None:
        scope = machine.data.body_scope(task, frame, None)
        limit = machine.data.duration(retry.attempt_timeout, frame["in"], scope, task.ref)
        timer = ArmTimer(f"{key}@{number}#attempt", task.ref, task.name, machine.data.now + limit)
        machine.frames.arm(frame, timer)
    frame |= {"block": "try", "attempt": number}
    frame.pop("rest", None)
    return list_frame(task.tasks, f"{key}@{number}/try", frame["in"])


def after_try(machine: "Machine", task: Try, frame: Frame, output: Any) -> None:
    """The tried list, or `catch.do`, is through."""
    machine.frames.stack.pop()
    end_attempt_timer(machine, frame)
    frame["out"] = output


def end_attempt_timer(machine: "Machine", frame: Frame) -> None:
    """Drop the time limit of the attempt that is over."""
    for key in frame.get("timers", ()):
        if key.endswith("#attempt"):
            machine.frames.drop(frame, key)
