"""Everybody else who touches the rows: senders of events and operators. What they do is one transaction each."""

from collections.abc import Generator, Mapping
from typing import Any

from tests.fault.simulation import checkpoint
from tests.fault.simulation.rows import Database, Message, Unsure
from workflows.states import RUN_FINAL

Turns = Generator[None, None, None]
DOUBLED, PATIENCE = 0.3, 40


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
            checkpoint.wake(db, step)


def operate(db: Database) -> Turns:
    """Retry what failed, for ever; now and then suspend the run and resume it."""
    while True:
        yield
        try:
            if db.run.state == "failed":
                db.transaction(retry)
            elif db.run.state == "suspended":
                db.transaction(resume)
            elif not db.calm and db.random.random() < 0.03:
                db.transaction(suspend)
        except Unsure:
            continue


def cancel(db: Database) -> Turns:
    """Cancel the run at some moment, whatever it does."""
    for _ in range(db.random.randrange(PATIENCE)):
        yield
    while db.run.state not in RUN_FINAL:
        try:
            db.transaction(_cancel)
        except Unsure:
            yield


def retry(db: Database) -> None:
    """Make what failed due again and let go what is held."""
    if db.run.state == "failed":
        _touch(db)
        for step in db.steps.values():
            if step.state == "failed" and not step.caught:
                db.move(step, "ready")
                step.due = db.now
        _let_go(db)


def suspend(db: Database) -> None:
    """Pause the run: what rests is held, what runs goes on and rests then."""
    if db.run.state in ("pending", "running", "waiting"):
        _touch(db)
        db.run_becomes("suspended")
        checkpoint.hold(db)


def resume(db: Database) -> None:
    """Let a suspended run go on."""
    if db.run.state == "suspended":
        _touch(db)
        _let_go(db)


def _cancel(db: Database) -> None:
    if db.run.state not in RUN_FINAL:
        _touch(db)
        checkpoint.end_run(db, "cancelled")


def _let_go(db: Database) -> None:
    db.run_becomes("running")
    for step in list(db.open.values()):
        if step.state == "held":
            db.move(step, "ready")


def _touch(db: Database) -> None:
    """Raise the revision of the branches, so that a checkpoint that read the old state looks again."""
    for branch in db.branches.values():
        if branch.state == "open":
            branch.revision += 1
