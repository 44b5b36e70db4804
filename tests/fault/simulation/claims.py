"""What claim.py does to the rows: leases, their end, and the fence of transactional handlers. One transaction each."""

import json
from dataclasses import dataclass
from typing import Any

from tests.fault.simulation.rows import MAIN, STOPPED, Database, Step

LEASE, SILENT = 10.0, 35.0


@dataclass(frozen=True, slots=True)
class Held:
    """A step that a worker holds, with its branch and run as they were when it was read."""

    step: int
    branch: int
    branch_state: str
    branch_parent: int | None
    key: str
    kind: str
    function: str
    input: Any
    claim: int
    wake: int
    revision: int
    cursor: str
    seq: int
    run: int
    program: str
    run_input: Any
    run_state: str
    run_over: bool
    context: str
    parent_step: int | None
    mail_seq: int
    mail: tuple[tuple[int, Any], ...]

    @property
    def over(self) -> bool:
        """Tell whether nothing more can come of this step: its run has ended, or its branch was left."""
        return self.run_over or self.branch_state == "closed"

    @property
    def rests(self) -> bool:
        """Tell whether the branch still waits for this call."""
        frames = json.loads(self.cursor).get("frames", ())
        return self.kind == "undo" or any(frame.get("key") == self.key for frame in frames)

    @property
    def stopped(self) -> bool:
        """Tell whether the run is parked or suspended."""
        return self.run_state in STOPPED


def claim(db: Database, me: str) -> Held | None:
    """Take the step that has been due longest."""
    due = [s for s in db.open.values() if s.state == "ready" and s.due <= db.now and not db.locked(s.id)]
    if not due:
        return None
    step = min(due, key=lambda s: s.due)
    lease(db, step, me)
    return read(db, step)


def lease(db: Database, step: Step, me: str) -> None:
    """Give a ready step to a worker."""
    db.move(step, "running")
    step.claim, step.holder, step.lease = step.claim + 1, me, db.now + LEASE


def read(db: Database, step: Step) -> Held:
    """Read a step with its branch, its run and the messages that nobody has taken."""
    branch, run = db.branches[step.branch], db.runs[step.run]
    mail = tuple((m.id, m.event) for m in db.messages if not m.consumed) if step.run == MAIN else ()
    return Held(
        step=step.id,
        branch=step.branch,
        branch_state=branch.state,
        branch_parent=branch.parent,
        key=step.key,
        kind=step.kind,
        function=step.function,
        input=step.input,
        claim=step.claim,
        wake=step.wake,
        revision=branch.revision,
        cursor=branch.cursor,
        seq=len(branch.links),
        run=run.id,
        program=run.program,
        run_input=run.input,
        run_state=run.state,
        run_over=run.over,
        context=run.context,
        parent_step=run.parent_step,
        mail_seq=run.mail_seq,
        mail=mail,
    )


def reload(db: Database, held: Held) -> Held | None:
    """Read a held step again; None when the lease was lost."""
    step = db.steps[held.step]
    return read(db, step) if ours(db, step, held) else None


def ours(db: Database, step: Step, held: Held) -> bool:
    """Tell whether a claim still stands: the fence."""
    if "id-only" in db.bugs:
        return True
    return step.state == "running" and (step.claim == held.claim or "no-fence" in db.bugs)


def reap(db: Database) -> None:
    """Free the steps whose lease ran out."""
    for step in [s for s in db.open.values() if s.state == "running" and s.lease < db.now and not db.locked(s.id)]:
        db.move(step, "ready")
        step.due = db.now


def expire(db: Database, me: str) -> None:
    """End the leases of a worker known to be dead."""
    for step in db.open.values():
        if step.state == "running" and step.holder == me:
            step.lease = db.now - 1


def release(db: Database, me: str) -> None:
    """Hand back everything that a living worker may still hold."""
    for step in [s for s in db.open.values() if s.state == "running" and s.holder == me]:
        db.move(step, "ready")
        step.due = db.now


def lock(db: Database, held: Held, me: str) -> bool:
    """Take the fence of a transactional handler: the row is locked until `unlock`, or until a long silence."""
    step = db.steps[held.step]
    if not ours(db, step, held) or db.locked(step.id, me):
        return False
    db.locks[step.id] = (me, db.now + SILENT)
    return True


def unlock(db: Database, me: str) -> None:
    """End the transaction of a session, whatever became of it."""
    for step in [s for s, (owner, _) in db.locks.items() if owner == me]:
        del db.locks[step]
