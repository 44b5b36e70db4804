"""What the statement of a checkpoint does to the rows, with the same guards: each function in one transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fault.simulation import cutting, ends, undoing
from tests.fault.simulation.claims import Held, lease, ours, read
from tests.fault.simulation.forks import Left, around, end_branch, insert, open_fork
from tests.fault.simulation.rows import RESTING, STOPPED, Branch, Database, Step
from tests.fault.simulation.undoing import Entry
from workflows.engine.messages import (
    Advance,
    ArmTimer,
    BranchDone,
    CallFunction,
    Complete,
    GoOn,
    Listen,
    Listening,
    OpenFork,
    Park,
    SetTimer,
    StartRun,
    Undo,
)
from workflows.states import RUN_FINAL

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Child:
    """A run that the held step starts in the transaction of its checkpoint."""

    program: str
    input: Any
    index: int


@dataclass(slots=True)
class Write:
    """One checkpoint. Without `result` the cursor stays as it was, and the run may be `parked` or end (`ending`).

    `entry` is what is undone next, `undone`: so is what the held step was for; `chosen`: it was looked for the next.
    """

    kind: str
    state: str = "succeeded"
    result: Advance | None = None
    output: Any = None
    delay: float = 0.0
    caught: bool = False
    effects: Sequence[str] = ()
    starts: Sequence[Child] = ()
    consumed: tuple[int, ...] = ()
    left: Left | None = None
    entry: Entry | None = None
    undone: bool = False
    ending: dict[str, Any] | None = None
    parked: ends.Parked | None = None
    chosen: bool = False
    nothing_else: bool = True
    on_fault: str = "park"


def now(db: Database) -> datetime:
    """Return the database's time as the engine wants it."""
    return EPOCH + timedelta(seconds=db.now)


def write(db: Database, held: Held, wanted: Write, keep: str) -> tuple[bool, Held | None]:
    """Record progress: whether anything was written, and the next step when the worker `keep` goes on with it."""
    step, branch = db.steps[held.step], db.branches[held.branch]
    if not _fits(db, step, branch, held, wanted):
        return False, None
    _finish(db, step, wanted, held)
    branch.revision += 1
    branch.links.append((held.seq + 1, wanted.kind, step.id, held.claim))
    db.ledger += [(held.run, effect) for effect in wanted.effects]
    for child in wanted.starts:
        db.start(child.program, child.input, step.id, child.index)
    for message in db.messages:
        message.consumed = message.consumed or message.id in wanted.consumed
    if wanted.undone:
        undoing.done(db, step.id)
    following = _follow(db, branch, step, held, wanted, keep)
    return True, read(db, following) if following is not None and following.holder == keep else None


def _fits(db: Database, step: Step, branch: Branch, held: Held, wanted: Write) -> bool:
    if "id-only" in db.bugs:
        return True
    run = db.runs[held.run]
    begins_listen = wanted.result is not None and isinstance(wanted.result.command, Listen)
    return (
        run.state not in RUN_FINAL
        and ours(db, step, held)
        and (branch.revision == held.revision or "no-revision" in db.bugs)
        and (wanted.left is None or not wanted.left.not_last or around(db, branch)[0].open > 1)
        and (not begins_listen or run.mail_seq == held.mail_seq or "racy-start" in db.bugs)
    )


def _finish(db: Database, step: Step, wanted: Write, held: Held) -> None:
    state = wanted.state
    if state == "waiting" and step.wake > held.wake and "racy-wait" not in db.bugs:
        state = "ready"
    if state in RESTING and db.runs[step.run].state in STOPPED:
        state = "held"
    db.move(step, state)
    step.output, step.caught, step.due = wanted.output, wanted.caught, db.now + wanted.delay
    if step.caught:
        db.ended(step)


def _follow(db: Database, branch: Branch, step: Step, held: Held, wanted: Write, keep: str) -> Step | None:
    run, result = db.runs[held.run], wanted.result
    if result is not None:
        branch.cursor, context = json.dumps(result.cursor), json.dumps(result.context)
        run.context = run.context if context == held.context else context
        undoing.record(db, held, result.undo)
        if step.kind == "join":
            cutting.end_begun(db, step)
        if wanted.left is not None:
            end_branch(db, branch, None, wanted.left)
            return None
        return _apply(db, branch, step, held, wanted, keep)
    if wanted.parked is not None:
        ends.park(db, run, wanted.parked)
    elif wanted.ending is not None:
        ends.end_undone(db, run, wanted.ending)
    elif wanted.entry is not None:
        return _undo(db, branch, held, wanted.entry, keep)
    return None


def _apply(db: Database, branch: Branch, step: Step, held: Held, wanted: Write, keep: str) -> Step | None:
    result, run = wanted.result, db.runs[held.run]
    assert result is not None
    for timer in result.armed:
        insert(db, branch, timer.key, "timer", due=_seconds(timer))
    for key in (*result.dropped, *result.cut):
        if (run.id, key) in db.by_key:  # blocks have no row of their own
            cutting.cut(db, db.by_key[run.id, key])
    _settle_listens(db, branch, result)
    if isinstance(result.command, Complete | BranchDone | Park):
        _end(db, branch, step, wanted, result.command)
        return None
    return _go_on(db, branch, held, wanted, result.command, keep)


def _end(db: Database, branch: Branch, step: Step, wanted: Write, command: Complete | BranchDone | Park) -> None:
    run = db.runs[branch.run]
    if isinstance(command, Complete):
        ends.complete(db, run, branch, command.output, wanted.nothing_else)
    elif isinstance(command, BranchDone):
        end_branch(db, branch, command.output)
    else:
        if step.state != "failed":
            insert(db, branch, command.key, "task", state="failed")
        ends.park(db, run, ends.Parked(command.error, ends.DEAD_LETTER, wanted.nothing_else, wanted.on_fault))


def _go_on(db: Database, branch: Branch, held: Held, wanted: Write, command: Any, keep: str) -> Step | None:
    if isinstance(command, OpenFork):
        open_fork(db, branch, command)
    elif isinstance(command, Listening):
        cutting.wake(db, db.by_key[branch.run, command.key])
    elif isinstance(command, Undo):
        assert wanted.entry is not None
        return _undo(db, branch, held, wanted.entry, keep)
    else:
        return _begin(db, branch, command, held, keep)
    return None


def _settle_listens(db: Database, branch: Branch, result: Advance) -> None:
    """End a listen that the body of its last event has ended."""
    for step in [s for s in db.open.values() if s.kind == "listen" and s.branch == branch.id]:
        if step.state in RESTING and not listens(result.cursor, step.key):
            db.move(step, "cancelled")


def listens(cursor: dict[str, Any], key: str) -> bool:
    """Tell whether the listen with this key wants more events."""
    return any(frame.get("key") == key and "pins" in frame and "out" not in frame for frame in cursor["frames"])


def _begin(db: Database, branch: Branch, command: Any, held: Held, keep: str) -> Step:
    run = db.runs[branch.run]
    if run.state not in STOPPED:
        db.run_becomes(run, "running")
    if isinstance(command, CallFunction):
        step = insert(db, branch, command.key, "call", function=command.function, input=command.input)
    elif isinstance(command, StartRun):
        given = {"workflow": command.workflow, "input": command.input}
        step = insert(db, branch, command.key, "run", function="run", input=given)
    elif isinstance(command, SetTimer):
        return insert(db, branch, command.key, "wait", due=_seconds(command))
    elif isinstance(command, Listen):
        mail = bool(held.mail)
        return insert(db, branch, command.key, "listen", state="ready" if mail else "waiting")
    else:
        assert isinstance(command, GoOn), command
        step = insert(db, branch, command.key, "task")
    return _leased(db, step, keep)


def _undo(db: Database, branch: Branch, held: Held, entry: Entry, keep: str) -> Step:
    """Begin what undoes an entry. A run that was stopped meanwhile stays so."""
    run = db.runs[branch.run]
    if run.state not in STOPPED or "undo-unstops" in db.bugs:
        db.run_becomes(run, "running")
    more = {"function": entry.function, "input": entry.input, "claim": entry.claim}
    step = insert(db, branch, entry.step_key, "undo", state="held" if held.stopped else "ready", **more)
    undoing.begin(db, held, entry, step)
    return _leased(db, step, keep)


def _leased(db: Database, step: Step, keep: str) -> Step:
    if keep and step.state == "ready":
        lease(db, step, keep)
    return step


def _seconds(command: SetTimer | ArmTimer) -> float:
    return (command.due_at - EPOCH).total_seconds()
