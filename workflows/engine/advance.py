"""`advance`: the whole engine as one pure function. Same cursor and message, same result; nothing else is touched."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from workflows.engine import catching, listening
from workflows.engine.faults import Fault, fault
from workflows.engine.frames import Frame
from workflows.engine.machine import Machine
from workflows.engine.messages import (
    Advance,
    Command,
    Done,
    Failed,
    Message,
    Park,
    Received,
    Skip,
    Start,
    TimedOut,
)
from workflows.engine.services import Facts, Services
from workflows.language.program import Call, Listen, Program, RunWorkflow, Try, Wait

MAX_STEPS = 100_000
Step = Callable[[], Command | None]


class Stale(Exception):
    """The message is for a task that is not waiting for it any more; it is to be ignored."""


class Busy(Exception):
    """The message is for a task that cannot take it yet; it is to be kept and given again later."""


def advance(
    program: Program,
    cursor: dict[str, Any],
    message: Message,
    *,
    context: Any,
    facts: Facts,
    services: Services,
    now: datetime,
) -> Advance:
    """Apply one message and return the next cursor with the one command that results. Raises Stale, Busy.

    A fault that nobody catches becomes Park; the cursor then stands before the faulted part, and Continue tries it
    again. A failed leaf leaves the cursor as it was: the leaf itself is what a person retries. The cursor counts the
    steps that began, so that a loop without an end stops at 100,000 of them. With an `ending` nothing is left to go on
    with: all that the run did is being undone.
    """
    if "ending" in cursor:
        raise Stale("the run is being undone")
    machine = Machine(program, cursor, context, facts, services, now)
    steps = cursor.get("steps", 0)
    parked: Park | None = None
    try:
        if isinstance(message, TimedOut):
            parked, first = _timed_out(machine, message.key)
        else:
            first = _first(machine, message, facts)
        if steps >= MAX_STEPS and not isinstance(message, TimedOut | Failed):
            first()  # what is done is not done again; no `try` may take this fault
            raise fault("runtime", "too many steps", f"a run may have {MAX_STEPS} steps at most")
        command = parked or machine.drive(first)
    except Fault as error:
        command = _park(machine, error)
    return Advance(
        machine.frames.cursor(steps if isinstance(command, Park) else steps + 1),
        command,
        machine.data.context,
        machine.trace,
        machine.frames.armed,
        machine.frames.dropped,
        machine.frames.cut,
        machine.undo,
    )


def _first(machine: Machine, message: Message, facts: Facts) -> Step:
    """Return what applies the message. Raises Stale, Busy."""
    if isinstance(message, Start):
        return lambda: machine.begin(message.input)
    if isinstance(message, Done):
        frame = _expect(machine, message.key)
        return lambda: _finish_leaf(machine, frame, message.output)
    if isinstance(message, Failed):
        _expect(machine, message.key)
        return lambda: _raise(Fault(message.error))
    if isinstance(message, Received):
        return _receive(machine, message)
    return _skip(machine, message, facts) if isinstance(message, Skip) else _continue(machine, facts)


def _continue(machine: Machine, facts: Facts) -> Step:
    if machine.frames.stack:
        top = machine.frames.top
        if catching.stands_between_attempts(top):
            task = machine.program.task_at(top["task"])
            assert isinstance(task, Try)  # noqa: S101 - for mypy
            return lambda: catching.resumed(machine, task, top)
        if "task" in top and "out" not in top:
            raise Stale("the branch rests in a task")
        return lambda: None
    branch = machine.frames.branch
    return lambda: machine.begin(facts.input) if branch is None else machine.begin_branch(branch)


def _finish_leaf(machine: Machine, frame: Frame, output: Any) -> Command | None:
    task = machine.program.task_at(frame["task"])
    if isinstance(task, Try):
        return catching.resumed(machine, task, frame)
    passes = isinstance(task, Wait) or (isinstance(task, RunWorkflow) and not task.await_)
    frame["out"] = frame["in"] if passes else output
    return None


def _skip(machine: Machine, message: Skip, facts: Facts) -> Step:
    top = machine.frames.top if machine.frames.stack else {}
    if not top and machine.frames.branch is None:
        return lambda: machine.begin_with(message.output, facts.input)
    if not top or ("task" in top and "out" not in top and not catching.stands_between_attempts(top)):
        raise Stale("no task that can be left stands here")
    return lambda: machine.skip(message.output)


def _receive(machine: Machine, message: Received) -> Step:
    frame = next((f for f in machine.frames.stack if f.get("key") == message.key and "pins" in f), None)
    if frame is None or "out" in frame:
        raise Stale(f"no task listens under {message.key}")
    if frame is not machine.frames.top:
        raise Busy("the body of an earlier event is under way")
    task = machine.program.task_at(frame["task"])
    assert isinstance(task, Listen)  # noqa: S101 - for mypy
    return lambda: listening.receive(machine, task, frame, message.event)


def _timed_out(machine: Machine, key: str) -> tuple[Park | None, Step]:
    """Raise the timeout from the task that owns the timer (R24); an attempt's time limit is inside its `try`.

    Nobody catches the workflow's own timeout. Raises Stale when the timer is over, Busy while something is undone.
    """
    stack, about = machine.frames.stack, machine.program
    if machine.frames.timer == key:
        error = fault("timeout", "timed out", f"the workflow {about.name} took longer than it may", instance="/timeout")
        return Park(key, "/timeout", about.name, error.error), lambda: None
    at = next((at for at, frame in enumerate(stack) if key in frame.get("timers", ())), None)
    if at is None:
        raise Stale(f"the timer {key} is over")
    if any(_undoing(frame, about) for frame in stack[at:]):
        raise Busy("what was done is being undone")
    task = about.task_at(stack[at]["task"])
    error = fault("timeout", "timed out", f"{task.name} took longer than it may", instance=task.ref)
    below = at + 1 if key.endswith("#attempt") else at
    try:
        return None, catching.handler(machine, error, below)
    except Fault as uncaught:
        return Park(key, task.ref, task.name, {"instance": task.ref} | uncaught.error), lambda: None


def _undoing(frame: Frame, about: Program) -> bool:
    """Tell whether a task rests while something is undone: a `try` for a fault, or a call of `saga.compensate`."""
    if "scope" not in frame or "out" in frame:
        return False
    return frame.get("block") == "undo" or isinstance(about.task_at(frame["task"]), Call)


def _park(machine: Machine, error: Fault) -> Park:
    task, key = machine.position()
    name, ref = (task.name, task.ref) if task else (machine.program.name, "")
    return Park(key, ref, name, {"instance": ref} | error.error)


def _expect(machine: Machine, key: str) -> Frame:
    frame = machine.frames.resting(key)
    if frame is None and any(f.get("key") == key and "pins" in f and "out" not in f for f in machine.frames.stack):
        raise Busy("the body of an event is under way")
    if frame is None:
        raise Stale(f"no task waits under {key}")
    return frame


def _raise(error: Fault) -> Command | None:
    raise error
