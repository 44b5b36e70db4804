"""Everybody else who touches the rows: senders of events and operators. What they do is one transaction each."""

from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import Any

from tests.fault.simulation import cutting, undoing
from tests.fault.simulation.rows import UNDONE, Database, Message, Run, Step, Unsure
from workflows.states import RUN_FINAL

Turns = Generator[None, None, None]
DOUBLED, PATIENCE, SUSPENDED = 0.3, 40, 0.03


def send(db: Database, envelope: Mapping[str, Any]) -> Turns:
    """Deliver an event at some moment, again until it is acknowledged, and sometimes once more."""
    for _ in range(db.random.randrange(PATIENCE)):
        yield
    while True:
        try:
            db.transaction(deliver, envelope)
        except Unsure:
            yield
            continue
        if db.random.random() >= DOUBLED:
            return
        yield


def deliver(db: Database, envelope: Mapping[str, Any]) -> None:
    """Take an event once: into the run's mailbox, and wake whatever listens."""
    if envelope["id"] in db.events and "no-dedup" not in db.bugs:
        return
    db.events.add(envelope["id"])
    if db.run.state in RUN_FINAL:
        return
    if "lost-event" in db.bugs and not any(step.kind == "listen" for step in db.open.values()):
        return
    db.run.mail_seq += 1
    db.messages.append(Message(len(db.messages) + 1, envelope))
    for step in list(db.open.values()):
        if step.kind == "listen":
            cutting.wake(db, step)


def operate(db: Database) -> Turns:
    """Retry what failed, for ever; now and then suspend the run and resume it."""
    while True:
        yield
        failed = [run for run in db.runs.values() if run.state == "failed" and _needs_a_person(db, run)]
        suspended = [run for run in db.runs.values() if run.state == "suspended"]
        try:
            if failed:
                db.transaction(retry, db.random.choice(failed))
            elif suspended:
                db.transaction(resume, suspended[0])
            elif not db.calm and db.random.random() < SUSPENDED:
                db.transaction(suspend, db.run)
        except Unsure:
            continue


def cancel(db: Database) -> Turns:
    """Cancel the run at some moment, whatever it does."""
    for _ in range(db.random.randrange(PATIENCE)):
        yield
    while db.run.state not in RUN_FINAL and db.run.reason != UNDONE:
        try:
            db.transaction(_cancel)
        except Unsure:
            yield


def undo(db: Database) -> Turns:
    """Ask at some moment that all the run has done is undone."""
    for _ in range(db.random.randrange(PATIENCE)):
        yield
    while db.run.state not in RUN_FINAL and (db.run.id, undoing.KEY) not in db.by_key:
        with suppress(Unsure):
            db.transaction(_undo)
        yield


def retry(db: Database, run: Run) -> None:
    """Make what failed due again, in the runs below as well; those that are parked on it go on."""
    if run.state != "failed":
        return
    parked: set[int] = set()
    for member in cutting.family(db, run):
        if member is run or (member.parent_step in parked and member.state == "failed"):
            failed = _uncaught(db, member)
            parked |= {step.id for step in failed}
            for step in failed:
                _make_ready(db, step)
            _go_on(db, member)
            _touch(db, member)
    _unpark(db, run)


def suspend(db: Database, run: Run) -> None:
    """Pause the run and those below: what rests is held, what runs goes on and rests then."""
    for member in cutting.family(db, run):
        if member.state in ("pending", "running", "waiting"):
            _touch(db, member)
            db.run_becomes(member, "suspended")
            cutting.hold(db, member)


def resume(db: Database, run: Run) -> None:
    """Let a suspended run, and those below, go on."""
    for member in cutting.family(db, run):
        if member.state == "suspended":
            _touch(db, member)
            _let_go(db, member)


def _cancel(db: Database) -> None:
    if db.run.state not in RUN_FINAL:
        cutting.end_family(db, db.run)


def _undo(db: Database) -> None:
    if db.run.state not in (*RUN_FINAL, "pending") and undoing.left(db, db.run):
        undoing.begin_all(db, db.run, {"state": "cancelled", "reason": UNDONE})


def _needs_a_person(db: Database, run: Run) -> bool:
    """Tell whether nothing but a retry lets a failed run go on; its parent may be about to take its fault."""
    looks = db.calm and run.parent_step is not None and db.steps[run.parent_step].state in ("ready", "running")
    return run.reason != UNDONE and not looks


def _uncaught(db: Database, run: Run) -> list[Step]:
    return [step for step in db.open_steps(run.id) if step.state == "failed"]


def _make_ready(db: Database, step: Step) -> None:
    db.move(step, "ready")
    step.due = db.now
    db.branches[step.branch].revision += 1


def _go_on(db: Database, run: Run) -> bool:
    if _uncaught(db, run):
        return False
    _let_go(db, run)
    return True


def _unpark(db: Database, child: Run) -> None:
    """Let the runs above go on that are parked on this one."""
    while child.parent_step is not None:
        step = db.steps[child.parent_step]
        parent = db.runs[step.run]
        if parent.state != "failed" or step.state != "failed" or step.caught:
            return
        _make_ready(db, step)
        _touch(db, parent)
        if not _go_on(db, parent):
            return
        child = parent


def _let_go(db: Database, run: Run) -> None:
    db.run_becomes(run, "running")
    for step in db.open_steps(run.id):
        if step.state == "held":
            db.move(step, "ready")


def _touch(db: Database, run: Run) -> None:
    """Raise the revision of the branches, so that a checkpoint that read the old state looks again."""
    for branch in db.open_branches(run.id):
        branch.revision += 1
