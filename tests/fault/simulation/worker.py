"""A worker as a generator: it yields wherever another process may get in, and dies where it stands.

The order of what it does is that of workflows/worker.py: claim, attempt, advance, checkpoint, and on with the same run.
"""

import json
from collections.abc import Generator
from typing import Any

from tests.fault.simulation import checkpoint, claims
from tests.fault.simulation.checkpoint import Left, Write
from tests.fault.simulation.claims import Held
from tests.fault.simulation.rows import STOPPED, Database, Unsure
from tests.fault.simulation.scenarios import SERVICES, Scenario
from workflows.engine.advance import Busy, Stale, advance
from workflows.engine.frames import place
from workflows.engine.messages import (
    Advance,
    Continue,
    Done,
    Failed,
    GoOn,
    Message,
    Park,
    Received,
    Start,
    TimedOut,
)
from workflows.engine.services import Facts

Turns = Generator[None, None, Any]
TRANSACTIONAL = "ledger"
DECLINED = {"type": "https://example.com/declined", "status": 402, "title": "declined"}
REFUSAL = {"type": "https://example.com/refused", "status": 403, "title": "refused"}
REFUSED, TRY_AGAIN, KEEP = 0.05, 0.15, 0.7


class LeaseLost(Exception):
    """Another worker holds the step now."""


class Worker:
    """One process. `life` is a new incarnation after a kill; what it held it never knew."""

    def __init__(self, db: Database, scenario: Scenario, me: str) -> None:
        self.db, self.scenario, self.me, self.busy = db, scenario, me, False

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
                    held = yield from self._step(held)
                self.busy = False
            except Unsure:
                unsure, self.busy = True, False
                claims.unlock(self.db, self.me)
            except LeaseLost:
                self.busy = False
                claims.unlock(self.db, self.me)

    def _step(self, held: Held) -> Turns:
        if held.over:
            self._close(held)
            return None
        if held.kind != "call":
            return self._conclude(held, None)
        if held.function == TRANSACTIONAL:
            return (yield from self._in_transaction(held))
        self.db.sink[f"{place(held.key)} {held.function}"] += 1
        yield
        yield
        return self._conclude(held, self._answer(held))

    def _in_transaction(self, held: Held) -> Turns:
        """Lock the step, run the handler, record: what the handler wrote is kept with the checkpoint or not at all."""
        if not self.db.transaction(claims.lock, held, self.me):
            raise LeaseLost
        if "effect-outside" in self.db.bugs:
            self.db.ledger.append(held.key)
        yield
        yield
        following = self.db.transaction(self._commit, held)
        claims.unlock(self.db, self.me)
        return following

    def _commit(self, db: Database, held: Held) -> Held | None:
        owner, _ = db.locks.get(held.step, ("", 0.0))
        if owner != self.me:
            raise Unsure  # the server ended this session for its silence
        effects = [] if "effect-outside" in db.bugs else [held.key]
        current = held
        while True:
            wanted = self._decide(current, ("done", held.input), effects)
            written, following = checkpoint.write(db, current, wanted, self._keep())
            if written:
                return following
            current = self._reloaded(db, current)
            if current.over:
                raise LeaseLost

    def _answer(self, held: Held) -> tuple[str, Any]:
        if held.function == "declines" and "@1/" in held.key:
            return "declined", DECLINED
        fate = 1.0 if self.db.calm else self.db.random.random()
        if fate < REFUSED:
            return "declined", REFUSAL
        if fate < TRY_AGAIN:
            return "again", None
        return "done", held.input

    def _conclude(self, held: Held, outcome: tuple[str, Any] | None) -> Held | None:
        """Record what happened; when the branch moved meanwhile, decide again on what it is now."""
        while True:
            wanted = self._decide(held, outcome, [])
            if "double-join" in self.db.bugs:
                self.db.transaction(checkpoint.join_apart, held, wanted)
            written, following = self.db.transaction(checkpoint.write, held, wanted, self._keep())
            if written:
                return following
            held = self._reloaded(self.db, held)
            if held.over:
                self._close(held)
                return None

    def _reloaded(self, db: Database, held: Held) -> Held:
        again = claims.reload(db, held)
        if again is None:
            raise LeaseLost
        return again

    def _close(self, held: Held) -> None:
        self.db.transaction(claims.close, held)

    def _keep(self) -> str:
        return self.me if self.db.random.random() < KEEP else ""

    def _decide(self, held: Held, outcome: tuple[str, Any] | None, effects: list[str]) -> Write:
        """Let the engine say what follows; a message that nobody waits for any more closes its step."""
        try:
            return self._decided(held, outcome, effects)
        except Stale:
            return Write("step.superseded", "cancelled")

    def _decided(self, held: Held, outcome: tuple[str, Any] | None, effects: list[str]) -> Write:
        if held.kind == "listen":
            return self._listen(held)
        if outcome is not None and outcome[0] == "again":
            return Write("step.retrying", "ready", delay=self.db.random.uniform(0, 30))
        if held.kind == "join" and self._fork_message(held) is None:
            return Write("step.resting", "waiting")
        message = self._message(held, outcome)
        result = self._advance(held, message)
        if isinstance(result.command, GoOn) and result.command.key == held.key:  # stopped just before its end
            return Write("step.postponed", "ready")
        left = self._left(held.branch, result.command.error) if isinstance(result.command, Park) else None
        if isinstance(message, Failed):
            caught = left is not None or not isinstance(result.command, Park)
            return Write("step.failed", "failed", result, caught=caught, left=left)
        return Write("step.succeeded", "succeeded", result, held.input, effects=effects, left=left)

    def _left(self, branch_id: int, error: Any) -> Left | None:
        """Ask what is around the fork whether it takes a fault of this branch; None: the run is parked on it."""
        branch = self.db.branches[branch_id]
        if branch.parent is None or branch.join is None:
            return None
        parent, join = self.db.branches[branch.parent], self.db.steps[branch.join]
        if join.function == "compete" and parent.open > 1:
            return Left(error, not_last=True)
        try:
            result = self._apply(parent.cursor, self.db.run.context, Failed(join.key, error), self.scenario.facts)
        except Stale:
            return None
        taken = not isinstance(result.command, Park) or self._left(parent.id, error) is not None
        return Left(error, not_last=False) if taken else None

    def _message(self, held: Held, outcome: tuple[str, Any] | None) -> Message:
        if outcome is not None:
            return Done(held.key, outcome[1]) if outcome[0] == "done" else Failed(held.key, outcome[1])
        if held.kind == "start":
            return Start(self.scenario.input)
        if held.kind == "timer":
            return TimedOut(held.key)
        if held.kind == "task":
            return Continue()
        return (self._fork_message(held) if held.kind == "join" else None) or Done(held.key)

    def _fork_message(self, held: Held) -> Message | None:
        """Return what became of the fork that a join waits for; None while it is open."""
        branches = [b for b in self.db.branches.values() if b.join == held.step]
        failed = [b for b in branches if b.error is not None]
        if held.function == "compete":
            winner = next((b for b in branches if b.done), None)
            if winner is not None:
                return Done(held.key, winner.output)
            return Failed(held.key, failed[-1].error) if len(failed) == len(branches) else None
        if failed:
            return Failed(held.key, failed[0].error)
        outputs = [b.output for b in sorted(branches, key=lambda b: b.index)]
        return Done(held.key, outputs) if held.open == 0 else None

    def _listen(self, held: Held) -> Write:
        """Give the listen the first event of the mailbox that it takes; it looks again as long as it rests."""
        before = json.loads(held.cursor)
        for number, event in held.mail:
            try:
                result = self._advance(held, Received(held.key, event))
            except Busy:
                break
            if result.cursor["frames"] != before["frames"]:
                state = "ready" if checkpoint.listens(result.cursor, held.key) else "succeeded"
                return Write(f"step.{state}", state, result, consumed=(number,))
        return Write("step.resting", "waiting")

    def _advance(self, held: Held, message: Message) -> Advance:
        facts = self.scenario.stopped if held.run_state in STOPPED else self.scenario.facts
        return self._apply(held.cursor, held.context, message, facts)

    def _apply(self, cursor: str, context: str, message: Message, facts: Facts) -> Advance:
        return advance(
            self.scenario.program,
            json.loads(cursor),
            message,
            context=json.loads(context),
            facts=facts,
            services=SERVICES,
            now=checkpoint.now(self.db),
        )
