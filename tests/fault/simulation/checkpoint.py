"""What checkpoint.py does to the rows, with the same guards. Each function is the work of one transaction."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fault.simulation.claims import Held, lease, ours, read
from tests.fault.simulation.rows import RESTING, STOPPED, Branch, Database, Step
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
)
from workflows.states import RUN_FINAL

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Left:
    """A fault that leaves its branch: something around the fork takes it, or others race on (`not_last`)."""

    error: Any
    not_last: bool


@dataclass(slots=True)
class Write:
    """One checkpoint. Without `result` the cursor stays as it was."""

    kind: str
    state: str = "succeeded"
    result: Advance | None = None
    output: Any = None
    delay: float = 0.0
    caught: bool = False
    effects: list[str] = field(default_factory=list)
    consumed: tuple[int, ...] = ()
    left: Left | None = None


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
    db.ledger += wanted.effects
    for message in db.messages:
        message.consumed = message.consumed or message.id in wanted.consumed
    if wanted.result is None:
        return True, None
    branch.cursor = json.dumps(wanted.result.cursor)
    db.run.context = json.dumps(wanted.result.context)
    if step.kind == "join":
        _close_branches(db, step)
    if wanted.left is not None:
        _end_branch(db, branch, None, wanted.left)
        return True, None
    following = _apply(db, branch, step, wanted.result, held, keep)
    return True, read(db, following) if following is not None and following.holder == keep else None


def _fits(db: Database, step: Step, branch: Branch, held: Held, wanted: Write) -> bool:
    if "id-only" in db.bugs:
        return True
    begins_listen = wanted.result is not None and isinstance(wanted.result.command, Listen)
    return (
        db.run.state not in RUN_FINAL
        and ours(db, step, held)
        and (branch.revision == held.revision or "no-revision" in db.bugs)
        and (wanted.left is None or not wanted.left.not_last or _around(db, branch)[0].open > 1)
        and (not begins_listen or db.run.mail_seq == held.mail_seq or "racy-start" in db.bugs)
    )


def _finish(db: Database, step: Step, wanted: Write, held: Held) -> None:
    state = wanted.state
    if state == "waiting" and step.wake > held.wake and "racy-wait" not in db.bugs:
        state = "ready"
    if state in RESTING and db.run.state in STOPPED:
        state = "held"
    db.move(step, state)
    step.output, step.caught, step.due = wanted.output, wanted.caught, db.now + wanted.delay


def _apply(db: Database, branch: Branch, step: Step, result: Advance, held: Held, keep: str) -> Step | None:
    for timer in result.armed:
        _insert(db, branch, timer.key, "timer", due=_seconds(timer))
    for key in (*result.dropped, *result.cut):
        if key in db.by_key:  # blocks have no row of their own
            _cut(db, db.by_key[key])
    _settle_listens(db, branch, result)
    command = result.command
    if isinstance(command, Complete):
        end_run(db, "succeeded", command.output)
    elif isinstance(command, BranchDone):
        _end_branch(db, branch, command.output)
    elif isinstance(command, OpenFork):
        _open_fork(db, branch, command)
    elif isinstance(command, Park):
        _park(db, branch, step, command)
    elif isinstance(command, Listening):
        wake(db, db.by_key[command.key])
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
    if db.run.state not in STOPPED:
        db.run_becomes("running")
    if isinstance(command, CallFunction):
        step = _insert(db, branch, command.key, "call", function=command.function, input=command.input)
    elif isinstance(command, SetTimer):
        return _insert(db, branch, command.key, "wait", due=_seconds(command))
    elif isinstance(command, Listen):
        mail = bool(held.mail)
        return _insert(db, branch, command.key, "listen", state="ready" if mail else "waiting")
    else:
        assert isinstance(command, GoOn), command
        step = _insert(db, branch, command.key, "task")
    if keep and step.state == "ready":
        lease(db, step, keep)
    return step


def _open_fork(db: Database, branch: Branch, command: OpenFork) -> None:
    join = _insert(db, branch, command.key, "join", state="waiting", function="compete" if command.compete else "")
    branch.open = len(command.branches)
    for begin in command.branches:
        number = len(db.branches) + 1
        db.branches[number] = Branch(number, branch.id, begin.index, join.id, json.dumps(begin.cursor))
        _insert(db, db.branches[number], begin.frame + "#begin", "task")


def _end_branch(db: Database, branch: Branch, output: Any, left: Left | None = None) -> None:
    parent, join = _around(db, branch)
    branch.state, branch.output, branch.done = "closed", output, left is None
    branch.error = left.error if left else None
    for step in [s for s in db.open.values() if s.branch == branch.id]:
        _cut(db, step)
    if "double-join" not in db.bugs:
        parent.open -= 1
    decides = not left.not_last if left else join.function == "compete"
    if parent.open == 0 or decides:
        wake(db, join)


def _around(db: Database, branch: Branch) -> tuple[Branch, Step]:
    assert branch.parent is not None
    assert branch.join is not None
    return db.branches[branch.parent], db.steps[branch.join]


def join_apart(db: Database, held: Held, wanted: Write) -> None:
    """The planted bug: count the end of a branch in a transaction of its own, so that a crash counts it twice."""
    parent = db.branches[held.branch].parent
    if parent is not None and wanted.result is not None and isinstance(wanted.result.command, BranchDone):
        db.branches[parent].open -= 1


def _park(db: Database, branch: Branch, step: Step, command: Park) -> None:
    """Fail the run: what is ready or waiting is held, what runs goes on."""
    if step.state != "failed":
        _insert(db, branch, command.key, "task", state="failed")
    db.run_becomes("failed")
    hold(db)


def hold(db: Database) -> None:
    """Take everything that rests out of the queue."""
    for step in list(db.open.values()):
        if step.state in ("ready", "waiting") and not db.locked(step.id):
            db.move(step, "held")


def wake(db: Database, step: Step) -> None:
    """Let a step look again at what it waits for."""
    if step.state not in (*RESTING, "running"):
        return
    step.wake, step.due = step.wake + 1, db.now
    if step.state == "waiting":
        db.move(step, "held" if db.run.state in STOPPED else "ready")


def end_run(db: Database, state: str, output: Any = None) -> None:
    """End the run and everything in it that does not run at this moment."""
    db.run_becomes(state)
    db.run.output = output
    for branch in db.branches.values():
        branch.state = "closed"
    for step in list(db.open.values()):
        if step.state in (*RESTING, "failed"):
            db.move(step, "cancelled")


def _cut(db: Database, step: Step) -> None:
    """Cancel a step whose task was left; one that runs finds out when it reports. A fork's branches end with it."""
    if step.state in RESTING:
        db.move(step, "cancelled")
    _close_branches(db, step)


def _close_branches(db: Database, join: Step) -> None:
    for branch in [b for b in db.branches.values() if b.join == join.id and b.state == "open"]:
        branch.state, branch.revision = "closed", branch.revision + 1
        for inside in [s for s in db.open.values() if s.branch == branch.id]:
            _cut(db, inside)


def _insert(db: Database, branch: Branch, key: str, kind: str, state: str = "ready", **more: Any) -> Step:
    stopped = db.run.state in STOPPED and state != "failed"
    return db.insert(branch.id, key, kind, "held" if stopped else state, **more)


def _seconds(command: SetTimer | ArmTimer) -> float:
    return (command.due_at - EPOCH).total_seconds()
