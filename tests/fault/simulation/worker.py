"""A worker as a generator: it yields wherever another process may get in, and dies where it stands.

The order of what it does is that of workflows/worker.py: claim, attempt, advance, checkpoint, and on with the same run.
"""

from collections.abc import Generator, Sequence
from typing import Any

from tests.fault.simulation import checkpoint, children, claims, cutting, forks, undoing
from tests.fault.simulation.checkpoint import Write
from tests.fault.simulation.children import STARTING, Came
from tests.fault.simulation.claims import Held
from tests.fault.simulation.deciding import Decider
from tests.fault.simulation.rows import Database, Unsure
from tests.fault.simulation.scenarios import TRANSACTIONAL, Scenario, declines
from workflows.engine.advance import Stale
from workflows.engine.messages import BranchDone, Complete, Park, PushUndo

Turns = Generator[None, None, Any]
DECLINED = {"type": "https://example.com/declined", "status": 402, "title": "declined"}
REFUSAL = {"type": "https://example.com/refused", "status": 403, "title": "refused"}
REFUSED, TRY_AGAIN, KEEP = 0.05, 0.15, 0.7
CALLING = ("call", "run", "undo")


class LeaseLost(Exception):
    """Another worker holds the step now."""


class Over(Exception):
    """The run ended, or the scope of the step was left, while it was running: its result is dropped."""


class Worker:
    """One process. `life` is a new incarnation after a kill; what it held it never knew."""

    def __init__(self, db: Database, scenario: Scenario, me: str) -> None:
        self.db, self.me, self.busy = db, me, False
        self.decider = Decider(db, scenario)

    def life(self) -> Turns:
        """Take step after step, for ever."""
        unsure = self.busy = False
        while True:
            yield
            try:
                if unsure:
                    self.db.transaction(claims.release, self.me)
                    unsure = False
                self.db.transaction(claims.reap)
                held = self.db.transaction(claims.claim, self.me)
                while held is not None:
                    self.busy = True
                    yield
                    held = yield from self._drive(held)
                self.busy = False
            except Unsure:
                unsure, self.busy = True, False
                claims.unlock(self.db, self.me)
            except LeaseLost:
                self.busy = False
                claims.unlock(self.db, self.me)

    def _drive(self, held: Held) -> Turns:
        """Bring a step one checkpoint further; one that came too late is closed."""
        came: list[Sequence[PushUndo]] = []
        try:
            return (yield from self._step(held, came))
        except (Over, Stale):
            claims.unlock(self.db, self.me)  # a transaction of the handler's is rolled back
            yield
            self.db.transaction(close, held, came)
            return None

    def _step(self, held: Held, came: list[Sequence[PushUndo]]) -> Turns:
        if held.over:
            raise Over
        if held.kind not in CALLING or not held.function:
            return (yield from self._conclude(held, None, came))
        if held.function == TRANSACTIONAL or held.function in STARTING:
            return (yield from self._in_transaction(held))
        if not held.rests and "call-when-left" not in self.db.bugs:
            raise Over  # its scope was left while a worker held it that has died
        self.db.sink[held.run, undoing.effect_key(held.key), held.function] += 1
        yield
        yield
        answer = self._answer(held)
        if answer.what == "done":
            self.db.seen.add((held.step, held.claim))
        return (yield from self._conclude(held, answer, came))

    def _in_transaction(self, held: Held) -> Turns:
        """Lock the step, run the handler, record: what the handler wrote is kept with the checkpoint or not at all."""
        if not self.db.transaction(claims.lock, held, self.me):
            raise LeaseLost
        if "effect-outside" in self.db.bugs:
            self.db.ledger.append((held.run, held.key))
        yield
        attempt = Came("done", held.input) if held.function == TRANSACTIONAL else children.look(self.db, held)
        yield
        if "child-twice" in self.db.bugs and attempt.starts:
            self.db.transaction(_start_apart, held, attempt)
            attempt = Came(attempt.what)
        following = yield from self._conclude(held, attempt, [], fenced=True)
        claims.unlock(self.db, self.me)
        return following

    def _conclude(
        self, held: Held, attempt: Came | None, came: list[Sequence[PushUndo]], *, fenced: bool = False
    ) -> Turns:
        """Record what happened; when the branch moved meanwhile, decide again on what it is now.

        What is read to decide is read before the statement that writes: others may commit in between.
        """
        while True:
            wanted = self.decider.decide(held, attempt, came)
            if "effect-outside" in self.db.bugs:
                wanted.effects = ()
            if not wanted.chosen or "undo-chosen-early" in self.db.bugs:
                yield
            while self._must_wait(held, wanted):
                yield
            self._count_apart(held, wanted)
            written, following = self.db.transaction(self._write, held, wanted, fenced)
            if written:
                return following
            again = claims.reload(self.db, held)
            if again is None:
                raise LeaseLost
            held = again
            if held.over:
                raise Over

    def _write(self, db: Database, held: Held, wanted: Write, fenced: bool) -> tuple[bool, Held | None]:
        owner, _ = db.locks.get(held.step, ("", 0.0))
        if fenced and owner != self.me:
            raise Unsure  # the server ended this session for its silence
        keep = self.me if db.random.random() < KEEP else ""
        return checkpoint.write(db, held, wanted, keep)

    def _must_wait(self, held: Held, wanted: Write) -> bool:
        """Tell whether the end of this run has to wait for somebody who has locked the step that started it."""
        command = wanted.result.command if wanted.result else None
        ends = wanted.parked or wanted.ending or isinstance(command, Complete | Park)
        locks = held.parent_step is not None and "lost-child-end" not in self.db.bugs
        return bool(ends and locks and held.parent_step and self.db.locked(held.parent_step, self.me))

    def _count_apart(self, held: Held, wanted: Write) -> None:
        ends = wanted.result is not None and isinstance(wanted.result.command, BranchDone)
        if "double-join" in self.db.bugs and ends and held.branch_parent is not None:
            self.db.transaction(lambda db: forks.count_end(db, db.branches[held.branch]))

    def _answer(self, held: Held) -> Came:
        if declines(held.function, held.key):
            return Came("declined", DECLINED)
        fate = 1.0 if self.db.calm else self.db.random.random()
        if fate < REFUSED:
            return Came("declined", REFUSAL)
        if fate < TRY_AGAIN:
            return Came("again")
        return Came("done", held.input)


def close(db: Database, held: Held, came: Sequence[Sequence[PushUndo]]) -> None:
    """End a step that came too late; what happened outside all the same is kept, and undone if it can be."""
    step = db.steps[held.step]
    if not claims.ours(db, step, held):
        return
    db.move(step, "cancelled")
    branch = db.branches[held.branch]
    branch.revision += 1
    kind = "step.superseded" if came else "step.cancelled"
    branch.links.append((len(branch.links) + 1, kind, step.id, held.claim))
    if came:
        undoing.keep(db, held, came[-1])
    cutting.late_cancelled(db, [step])


def _start_apart(db: Database, held: Held, attempt: Came) -> None:
    """The planted bug: start runs in a transaction of their own, so that a late worker starts them as well."""
    for child in attempt.starts:
        db.start(child.program, child.input, held.step, child.index)
