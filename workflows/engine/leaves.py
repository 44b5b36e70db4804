"""Tasks without tasks inside the same branch: those that compute at once, and those that need the outside."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from workflows.engine.faults import Fault, fault
from workflows.engine.frames import Frame, place
from workflows.engine.messages import (
    BranchStart,
    CallFunction,
    Command,
    EmitEvent,
    OpenFork,
    SetTimer,
    StartRun,
    Undo,
)
from workflows.language.program import Call, Emit, Fork, Raise, RunWorkflow, Set, Switch, Task, Wait

if TYPE_CHECKING:
    from workflows.engine.machine import Machine

Scope = Mapping[str, Any]
COMPENSATE = "saga.compensate"
VARIABLE = re.compile(r"\{([^{}]+)\}")
SCALARS = (str, int, float, bool)


def set_value(machine: "Machine", task: Set, frame: Frame, scope: Scope) -> None:
    """Replace the data."""
    frame["out"] = machine.data.resolve(task.value, frame["in"], scope, task.ref)


def switch(machine: "Machine", task: Switch, frame: Frame, scope: Scope) -> None:
    """Take the first case that holds, else the default, else the task's own directive."""
    data = machine.data
    chosen = next((case for case in task.cases if data.truthy(case.when, frame["in"], scope, case.ref)), task.default)
    frame["out"] = frame["in"]
    if chosen is not None:
        frame["then"] = chosen.then
        machine.trace.append(f"{frame['key']} took {chosen.name}")


def raise_error(machine: "Machine", task: Raise, frame: Frame, scope: Scope) -> None:
    """Raise the author's error, its place filled in where it has none."""
    error = machine.data.resolve(task.error, frame["in"], scope, task.ref)
    if not isinstance(error, dict) or not isinstance(error.get("type"), str):
        raise fault("runtime", "raise needs an error with a type", instance=task.ref)
    raise Fault({"instance": task.ref} | error)


def wait(machine: "Machine", task: Wait, frame: Frame, scope: Scope) -> Command:
    """Pause."""
    pause = machine.data.duration(task.duration, frame["in"], scope, task.ref)
    return SetTimer(frame["key"], task.ref, task.name, machine.data.now + pause)


def call(machine: "Machine", task: Call, frame: Frame, scope: Scope) -> Command:
    """Call a function of the catalog."""
    value = machine.data.resolve(task.with_, frame["in"], scope, task.ref)
    effect = _effect(machine, task, frame, scope)
    if compensates(task):
        frame["scope"] = _enclosing_saga(machine)
        return Undo(frame["key"], task.ref, task.name, frame["scope"])
    if task.function == "http":
        value = _with_variables(value, frame["in"], task.ref)
    if task.undo is not None and task.undo.with_ is None:
        frame["arguments"] = undo_arguments(task.undo.fields, None, value)
    if effect:
        frame["effect"] = effect
    return CallFunction(frame["key"], task.ref, task.name, task.function, task.version, value, effect)


def emit(machine: "Machine", task: Emit, frame: Frame, scope: Scope) -> Command:
    """Build the CloudEvent; its id follows from run and task, so that it is published once (R16)."""
    given = machine.data.resolve(task.event, frame["in"], scope, task.ref)
    about, data = machine.program, machine.data
    if not isinstance(given, dict) or not isinstance(given.get("type"), str):
        raise fault("expression", "an event needs a type", instance=task.ref)
    event = {
        "specversion": "1.0",
        "id": f"{data.facts.run}:{place(frame['key'])}",
        "source": f"/{about.namespace}/{about.name}/{about.version}",
        "time": data.now.isoformat(),
    }
    return EmitEvent(frame["key"], task.ref, task.name, event | given)


def run_workflow(machine: "Machine", task: RunWorkflow, frame: Frame, scope: Scope) -> Command:
    """Start another workflow."""
    value = machine.data.resolve(task.input, frame["in"], scope, task.ref)
    return StartRun(frame["key"], task.ref, task.name, task.workflow, task.version, value, task.await_)


def fork(machine: "Machine", task: Fork, frame: Frame, scope: Scope) -> Command | None:
    """Begin all branches with the same input; each gets a cursor of its own."""
    if not len(task.branches):
        frame["out"] = []
        return None
    key, variables = f"{frame['key']}/fork/branches", machine.data.variables()
    starts = []
    for inside in task.branches.tasks:
        begin = {"list": task.branches.ref, "i": inside.index, "key": key, "raw": frame["in"]}
        cursor = {"branch": begin} | ({"vars": variables} if variables else {})
        starts.append(BranchStart(f"{key}/{inside.index}", inside.index, inside.name, inside.ref, cursor))
    return OpenFork(frame["key"], task.ref, task.name, task.compete, tuple(starts))


def compensates(task: Task) -> bool:
    """Tell whether a task undoes: then there is no step of its own, only those of what is undone."""
    return isinstance(task, Call) and task.function == COMPENSATE


def undo_arguments(fields: Iterable[str], output: Any, given: Any) -> dict[str, Any]:
    """Return the arguments of an action's own undo: each by name, from the output if it has it, else from the input."""
    sources = [source for source in (output, given) if isinstance(source, dict)]
    found = {name: next((s[name] for s in sources if name in s), None) for name in fields}
    return {name: value for name, value in found.items() if any(name in source for source in sources)}


def _effect(machine: "Machine", task: Call, frame: Frame, scope: Scope) -> str:
    if task.idempotency_key is None:
        return ""
    value = machine.data.evaluate(task.idempotency_key, frame["in"], scope, task.ref)
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        detail = "metadata.dotdo.idempotencyKey must give a text of 1 to 255 characters"
        raise fault("expression", "not an idempotency key", detail, instance=task.ref)
    return value


def _enclosing_saga(machine: "Machine") -> str:
    """Return the innermost saga around the task that is being entered; "" is the whole run."""
    for frame in reversed(machine.frames.stack):
        if "task" in frame and machine.program.task_at(frame["task"]).saga:
            return place(frame["key"])
    return ""


def _with_variables(arguments: Any, given: Any, ref: str) -> Any:
    """Add the values of a URI template's variables: top-level members of the task's input (§1.4)."""
    endpoint = arguments.get("endpoint") if isinstance(arguments, dict) else None
    uri = endpoint.get("uri") if isinstance(endpoint, dict) else endpoint
    names = VARIABLE.findall(uri) if isinstance(uri, str) else []
    if not names:
        return arguments
    source = given if isinstance(given, dict) else {}
    values = {name: source[name] for name in names if name in source and source[name] is not None}
    wrong = sorted(name for name, value in values.items() if not isinstance(value, SCALARS))
    if wrong:
        detail = f"{', '.join(wrong)} in {uri} must be a text, a number or a boolean"
        raise fault("expression", "a URI template needs plain values", detail, instance=ref)
    return {**arguments, "$variables": values}
