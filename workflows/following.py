"""What begins behind a step: from the engine's command to the rows of the checkpoint."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from audit.formulas import GENESIS
from audit.recording import seal
from dotdo_site.lib import canonical
from dotdo_site.lib.ids import uuid7
from workflows import compensating, effects
from workflows.checkpoint import BranchWrite, NextStep, Subscribe, UndoWrite
from workflows.engine.messages import (
    Advance,
    ArmTimer,
    CallFunction,
    Command,
    EmitEvent,
    Filter,
    GoOn,
    Listen,
    Listening,
    OpenFork,
    Park,
    SetTimer,
    StartRun,
    Undo,
)
from workflows.failures import fault_error
from workflows.job import Job, action_of
from workflows.lessee import Lessee

TIMER, EVENT, FORK, PARKED = "timer", "event", "fork", "parked"
AT_ONCE = (CallFunction, GoOn, EmitEvent, StartRun, Listen, Undo)


@dataclass(slots=True)
class Following:
    """The rows that a command brings with it. `lead` is the step that the branch now stands in, if it is a new one."""

    lead: NextStep | None = None
    timers: list[NextStep] = field(default_factory=list)
    branches: list[BranchWrite] = field(default_factory=list)
    subscriptions: list[Subscribe] = field(default_factory=list)
    undos: list[UndoWrite] = field(default_factory=list)
    undoing: tuple[int, Any] | None = None
    over: list[str] = field(default_factory=list)
    woken: str = ""
    rest: str = ""
    listens: bool = False


def following(job: Job, result: Advance, lessee: Lessee, lead_id: uuid.UUID | None = None) -> Following:
    """Return what the checkpoint of `result` begins and ends beside the held step itself.

    `lead_id`: the step that the branch stands in next is this one, not a new row.
    """
    command, found = result.command, Following()
    if result.armed or result.undo or result.dropped or result.cut:
        found.timers = [_timer(job, timer) for timer in result.armed]
        found.undos = [compensating.record(push) for push in result.undo]
        found.over = [key for key in [*result.dropped, *result.cut] if key != job.key]
    make = LEADS.get(type(command))
    if make is not None:
        found.lead = _step(job, command, lead_id)
        make(job, command, found.lead, found)
        _lease(job, found.lead, command, lessee)
    elif isinstance(command, Listening):
        found.rest, found.woken = EVENT, command.key
    return found


def _step(job: Job, command: Any, step_id: uuid.UUID | None = None) -> NextStep:
    return NextStep(
        id=step_id or uuid7(),
        key=command.key,
        ref=command.ref,
        name=command.name,
        kind="task",
        queue=job.held.run_queue,
        priority=job.held.run_priority,
    )


def _lease(job: Job, step: NextStep, command: Command, lessee: Lessee) -> None:
    """Go on with the step at once where that is possible; in a run that is parked or suspended nothing begins."""
    if job.held.stopped:
        step.state = "held" if step.state in ("ready", "waiting") else step.state
    elif _at_once(command, step) and lessee.keep() and lessee.serves(step.queue):
        step.worker = lessee.id


def _at_once(command: Command, step: NextStep) -> bool:
    return isinstance(command, AT_ONCE) and step.state == "ready" and step.error is None


def _timer(job: Job, timer: ArmTimer) -> NextStep:
    step = _step(job, timer)
    step.kind, step.due_at, step.state = "timer", timer.due_at, "held" if job.held.stopped else "ready"
    return step


def _call(job: Job, command: CallFunction, step: NextStep, found: Following) -> None:
    action = action_of(command)
    step.kind, step.input, step.function = "call", command.input, f"{command.function}:{command.version}"
    if action:
        step.action_version, step.queue = action.id, action.queue or step.queue
    again = effects.repetition(job, command, action)
    step.generation, step.error, step.claim = again.generation, again.error, again.claim


def _wait(_: Job, command: SetTimer, step: NextStep, found: Following) -> None:
    step.kind, step.due_at, found.rest = "wait", command.due_at, TIMER


def _emit(_: Job, command: EmitEvent, step: NextStep, found: Following) -> None:
    step.kind, step.function, step.input = "emit", "emit:1.0.0", command.event


def _run(_: Job, command: StartRun, step: NextStep, found: Following) -> None:
    step.kind, step.function = "run", "run:1.0.0"
    step.input = {
        "workflow": command.workflow,
        "version": command.version,
        "input": command.input,
        "wait": command.wait,
    }


def _listen(job: Job, command: Listen, step: NextStep, found: Following) -> None:
    """Subscribe. The mailbox has to be looked at first, if anything was ever put into it (R31)."""
    step.kind, step.input = "listen", [_shown(wanted) for wanted in command.filters]
    found.subscriptions = [_subscription(step, wanted) for wanted in command.filters]
    found.rest = EVENT
    if job.held.mail_seq == 0:
        step.state, found.listens = "waiting", True


def _shown(wanted: Filter) -> dict[str, Any]:
    parts = {"type": wanted.type, "source": wanted.source, "correlate": dict(wanted.correlate)}
    return {name: value for name, value in parts.items() if value}


def _subscription(step: NextStep, wanted: Filter) -> Subscribe:
    texts = sorted(wanted.correlate)
    return Subscribe(
        step=step.id,
        index=wanted.index,
        type=wanted.type,
        source=wanted.source,
        correlate_from=canonical.dumps(texts) if texts else "",
        correlate_hash=canonical.digest([wanted.correlate[text] for text in texts]) if texts else "",
    )


def _fork(job: Job, command: OpenFork, step: NextStep, found: Following) -> None:
    """Give each branch a row, a first step and a chain of its own; the join waits for them."""
    step.kind, step.state, found.rest = "join", "waiting", FORK
    now = job.now()
    for start in command.branches:
        branch = uuid7()
        link = seal(
            GENESIS,
            chain=branch,
            seq=0,
            run=job.held.run,
            kind="branch.opened",
            actor=f"run:{job.held.run}",
            at=now,
            data={"fork": command.key, "branch": start.name, "index": start.index},
        )
        steps = job.cursor.get("steps", 0)
        cursor = {**start.cursor, "steps": steps, "branch": {**start.cursor["branch"], "from": steps}}
        found.branches.append(
            BranchWrite(
                id=branch,
                step=uuid7(),
                frame=start.frame,
                index=start.index,
                name=start.name,
                ref=start.ref,
                cursor=cursor,
                link=link,
            )
        )


def _undo(job: Job, _: Undo, step: NextStep, found: Following) -> None:
    """Begin with the newest compensation of the scope; `compensating.settled` chose it."""
    entry = job.chosen[-1].entry
    assert entry is not None  # noqa: S101 - settled
    begin_undo(job, found, entry)
    if entry.id is None:
        index = max(index for index, undo in enumerate(found.undos) if undo.place == entry.place)
        found.undos[index] = replace(found.undos[index], step=step.id)


def begin_undo(job: Job, found: Following, entry: compensating.Entry) -> None:
    """Make the step of a compensation."""
    step = found.lead or NextStep(id=uuid7(), key="", ref="", name="", kind="undo")
    again = f"[{entry.begun}]" if entry.begun else ""
    step.key, step.ref, step.name, step.kind = f"{entry.key}#undo{again}", entry.ref, entry.name, "undo"
    step.function, step.action_version, step.input = entry.function, entry.action_version, entry.input
    step.priority, step.claim = job.held.run_priority, entry.claim
    step.queue = compensating.queue(entry.action_version) or job.held.run_queue
    if entry.id is not None:
        found.undoing = (entry.id, step.id)
    found.lead = step


def _go_on(job: Job, command: GoOn, step: NextStep, found: Following) -> None:
    """A step that only goes on behind what was done."""


def _park(_: Job, command: Park, step: NextStep, found: Following) -> None:
    step.error, found.rest = fault_error(command.error), PARKED


LEADS: Mapping[type, Callable[[Job, Any, NextStep, Following], None]] = {
    CallFunction: _call,
    SetTimer: _wait,
    EmitEvent: _emit,
    StartRun: _run,
    Listen: _listen,
    OpenFork: _fork,
    Undo: _undo,
    GoOn: _go_on,
    Park: _park,
}
