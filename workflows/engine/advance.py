"""`advance`: the whole engine as one pure function. Same cursor and message, same result; nothing else is touched."""

from datetime import datetime
from typing import Any

from workflows.engine.faults import Fault, fault
from workflows.engine.machine import Machine
from workflows.engine.messages import Advance, Continue, Done, Failed, Message, Park, Start
from workflows.engine.services import Facts, Services
from workflows.language.program import Program

MAX_STEPS = 100_000


class Stale(Exception):
    """The message is for a task that is not waiting for it any more; it is to be ignored."""


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
    """Apply one message and return the next cursor with the one command that results. Raises Stale.

    A fault that nobody catches becomes Park; the cursor then stands before the faulted part, and Continue tries it
    again. A failed call leaves the cursor as it was: the call itself is what a person retries. The cursor counts the
    steps that began, so that a loop without an end stops at 100,000 of them.
    """
    machine = Machine(program, cursor, context, facts, services, now)
    steps = cursor.get("steps", 0)
    try:
        if isinstance(message, Start):
            machine.begin(message.input)
        elif isinstance(message, Done):
            _finish_leaf(machine, message)
        elif isinstance(message, Failed):
            _expect(machine, message.key)
            raise Fault(message.error)  # noqa: TRY301 - the handler below is where all faults are turned into Park
        elif isinstance(message, Continue) and not machine.frames:
            machine.begin(facts.input)
        if steps >= MAX_STEPS:
            raise fault("runtime", "too many steps", f"a run may have {MAX_STEPS} steps at most")
        command = machine.run()
    except Fault as error:
        task, key = machine.position()
        name, ref = (task.name, task.ref) if task else (program.name, "")
        park = Park(key, ref, name, {"instance": ref} | error.error)
        return Advance({"frames": machine.frames, "steps": steps}, park, machine.context, machine.trace)
    return Advance({"frames": machine.frames, "steps": steps + 1}, command, machine.context, machine.trace)


def _finish_leaf(machine: Machine, message: Done) -> None:
    frame = _expect(machine, message.key)
    task = machine.program.task_at(frame["task"])
    frame["out"] = frame["in"] if task.kind == "wait" else message.output


def _expect(machine: Machine, key: str) -> dict[str, Any]:
    frame = machine.frames[-1] if machine.frames else {}
    if frame.get("key") != key or "out" in frame or "task" not in frame:
        raise Stale(f"no task waits under {key}")
    return frame
