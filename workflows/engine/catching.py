"""Who catches a fault, and what then: retry, undo, `catch.do`, go on or raise again (R13, R14, R24).

The innermost `try` around the fault that takes the error leaves its list: the frames above it are cut, and what they
rested in is cancelled. A scope marked as a saga among them is undone before `catch.do`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from workflows.engine import backoff, blocks
from workflows.engine.faults import Fault, canonical_type, short_type
from workflows.engine.frames import Frame, list_frame, place
from workflows.engine.messages import Command, SetTimer, Undo
from workflows.language.program import RetryPolicy, Task, Try

if TYPE_CHECKING:
    from workflows.engine.machine import Machine

Step = Callable[[], Command | None]
RETRY, DO, SWALLOW = "retry", "do", "swallow"


def handler(machine: "Machine", found: Fault, below: int | None = None) -> Step:
    """Return what the innermost `try` that takes the fault does. Raises Fault when none does.

    `below` limits the search to frames under that position: a task's own timeout is raised from it (R24).
    """
    error = found
    stack = machine.frames.stack
    at = len(stack) if below is None else below
    while at > 0:
        at -= 1
        frame = stack[at]
        task = machine.program.task_at(frame["task"]) if "task" in frame else None
        if not isinstance(task, Try) or frame.get("block") != "try" or "out" in frame:
            continue
        try:
            step = _taken(machine, task, at, error)
        except Fault as raised:  # a condition of the catch faulted: that is what goes outwards
            error = raised
            continue
        if step is not None:
            return step
    raise error


def resumed(machine: "Machine", task: Try, frame: Frame) -> Command | None:
    """Go on where a caught fault rested: the pause before a retry is over, or everything is undone."""
    if frame["block"] == RETRY:
        machine.frames.stack.append(blocks.attempt(machine, task, frame, frame["attempt"] + 1))
    else:
        frame.pop("rest")
        _settle(machine, task, frame)
    return None


def stands_between_attempts(frame: Frame) -> bool:
    """Tell whether a `try` is about to run its tasks again."""
    return frame.get("block") == RETRY and "out" not in frame


def _taken(machine: "Machine", task: Try, at: int, found: Fault) -> Step | None:
    error, frame, catch = found.error, machine.frames.stack[at], task.catch
    error = {"instance": task.ref} | error
    scope = machine.data.body_scope(task, frame, None, {catch.as_: lambda: error})
    if not (
        _fits(machine, task, error, scope) and _allowed(machine, task, catch.when, catch.except_when, error, scope)
    ):
        return None
    pause = _pause(machine, task, frame, error, scope) if catch.retry else None
    if pause is not None:
        return lambda: _retry(machine, task, at, error, pause)
    if catch.tasks is None and catch.then is None and catch.retry:
        return None
    return lambda: _leave_block(machine, task, at, error)


def _fits(machine: "Machine", task: Try, error: Mapping[str, Any], scope: Mapping[str, Any]) -> bool:
    """Tell whether all given members of `errors.with` are those of the error (R27: types by any of their names)."""
    for name, template in task.catch.errors.items():
        wanted = machine.data.resolve(template, error, scope, task.ref)
        same = (
            canonical_type(wanted) == canonical_type(error.get(name)) if name == "type" else wanted == error.get(name)
        )
        if not same:
            return False
    return True


def _allowed(
    machine: "Machine",
    task: Task,
    when: str | None,
    except_when: str | None,
    error: Mapping[str, Any],
    scope: Mapping[str, Any],
) -> bool:
    if not machine.data.truthy(when, error, scope, task.ref):
        return False
    return except_when is None or not machine.data.truthy(except_when, error, scope, task.ref)


def _pause(
    machine: "Machine", task: Try, frame: Frame, error: Mapping[str, Any], scope: Mapping[str, Any]
) -> timedelta | None:
    """Return how long to wait before the next attempt; None when the policy allows no other."""
    policy = task.catch.retry
    assert policy is not None  # noqa: S101 - for mypy
    number, now = frame["attempt"], machine.data.now
    if not _allowed(machine, task, policy.when, policy.except_when, error, scope):
        return None
    if policy.count is not None and number > policy.count:
        return None
    if policy.duration is not None:
        longest = machine.data.duration(policy.duration, frame["in"], scope, task.ref)
        if now - datetime.fromisoformat(frame["first"]) >= longest:
            return None
    return _delay(machine, task, policy, frame, scope)


def _delay(machine: "Machine", task: Try, policy: RetryPolicy, frame: Frame, scope: Mapping[str, Any]) -> timedelta:
    base = machine.data.duration(policy.delay, frame["in"], scope, task.ref)
    pause = backoff.delay(policy.backoff, base, frame["attempt"])
    if policy.jitter:
        low, high = (machine.data.duration(part, frame["in"], scope, task.ref) for part in policy.jitter)
        pause = backoff.with_jitter(pause, low, high, machine.data.services.random())
    return pause


def _retry(machine: "Machine", task: Try, at: int, error: Mapping[str, Any], pause: timedelta) -> Command | None:
    machine.frames.cut_to(at + 1)
    frame = machine.frames.top
    blocks.end_attempt_timer(machine, frame)
    number = frame["attempt"]
    machine.trace.append(
        f"{frame['key']} caught {short_type(dict(error))}, retry {number} in {pause.total_seconds():g} s"
    )
    frame["block"] = RETRY  # so that an attempt which cannot begin is not caught by its own `try`
    if pause <= timedelta(0):
        machine.frames.stack.append(blocks.attempt(machine, task, frame, number + 1))
        return None
    frame["rest"] = f"{frame['key']}@{number}/retry"
    return SetTimer(frame["rest"], task.ref, task.name, machine.data.now + pause)


def _leave_block(machine: "Machine", task: Try, at: int, error: Mapping[str, Any]) -> Command | None:
    gone = machine.frames.cut_to(at + 1)
    frame = machine.frames.top
    blocks.end_attempt_timer(machine, frame)
    machine.trace.append(f"{frame['key']} caught {short_type(dict(error))}")
    frame["error"] = dict(error)
    scope = _saga(machine, [frame, *gone])
    if scope is None:
        _settle(machine, task, frame)
        return None
    frame |= {"block": "undo", "rest": f"{frame['key']}@u", "scope": scope}
    return Undo(frame["rest"], task.ref, task.name, scope)


def _saga(machine: "Machine", left: list[Frame]) -> str | None:
    """Return the outermost saga among the scopes that the fault leaves: what is inside it goes with it."""
    tasks = [frame for frame in left if "task" in frame and machine.program.task_at(frame["task"]).saga]
    return place(tasks[0]["key"]) if tasks else None


def _settle(machine: "Machine", task: Try, frame: Frame) -> None:
    catch = task.catch
    if catch.then is not None:
        frame["then"] = catch.then
    frame["block"] = "catch"
    if catch.tasks is not None:
        machine.frames.stack.append(list_frame(catch.tasks, f"{frame['key']}@c/catch/do", frame["in"]))
    else:
        frame["out"] = frame["in"]
