"""What a checkpoint is to write, decided from what happened to the held step: steps.py, progress.py and crossing.py."""

import json
from collections.abc import Sequence
from typing import Any

from tests.fault.simulation import checkpoint, ends, undoing
from tests.fault.simulation.checkpoint import Write
from tests.fault.simulation.children import Came
from tests.fault.simulation.claims import Held
from tests.fault.simulation.cutting import LATE
from tests.fault.simulation.forks import Left
from tests.fault.simulation.rows import Database
from tests.fault.simulation.scenarios import SERVICES, TRANSACTIONAL, Scenario
from workflows.engine.advance import Busy, Stale, advance
from workflows.engine.messages import (
    Advance,
    Complete,
    Continue,
    Done,
    Failed,
    GoOn,
    Message,
    Park,
    PushUndo,
    Received,
    Start,
    TimedOut,
    Undo,
)


class Decider:
    """Reads the rows, asks the engine, writes nothing. Raises Stale for what nobody waits for any more."""

    def __init__(self, db: Database, scenario: Scenario) -> None:
        self.db, self.scenario = db, scenario

    def decide(self, held: Held, attempt: Came | None, came: list[Sequence[PushUndo]]) -> Write:
        """Return the checkpoint; `came` gets what to undo should the effect turn out to have come too late."""
        if attempt is not None and attempt.what in ("again", "rests"):
            return self._resting(held, attempt)
        if held.kind == "undo":
            return self._undone(held, attempt, came)
        if held.kind == "listen":
            return self._listen(held)
        if held.kind == "join" and self._fork_message(held) is None:
            return Write("step.resting", "waiting")
        message = self._message(held, attempt)
        try:
            result = self._advance(held, message)
        except Busy:
            return Write("step.postponed", "ready", delay=1.0)
        if isinstance(message, Done) and held.kind == "call":
            came.append(result.undo)
        if isinstance(result.command, GoOn) and result.command.key == held.key:  # stopped just before its end
            return Write("step.postponed", "ready")
        return self._moved_on(held, message, result)

    def _resting(self, held: Held, attempt: Came) -> Write:
        """The same step goes on later, if the branch still waits for it."""
        if not held.rests and "rest-when-left" not in self.db.bugs:
            raise Stale(f"no task waits under {held.key}")
        if attempt.what == "rests":
            return Write("step.resting", "waiting", starts=attempt.starts)
        return Write("step.retrying", "ready", delay=self.db.random.uniform(0, 30))

    def _moved_on(self, held: Held, message: Message, result: Advance) -> Write:
        chosen = isinstance(result.command, Undo)
        result = self._settled(held, result)
        command = result.command
        left = self._left(held, held.branch, command.error) if isinstance(command, Park) else None
        if isinstance(command, Park) and command.key == held.key and left is None and held.kind == "task":
            return self._parked(held, command.error, ends.DEAD_LETTER)  # it faulted again, in the same place
        wanted = Write("step.succeeded", "succeeded", result, held.input, left=left, chosen=chosen)
        wanted.on_fault = self._program(held).on_fault
        if isinstance(message, Failed):
            wanted.kind, wanted.state, wanted.output = "step.failed", "failed", None
            wanted.caught = left is not None or not isinstance(command, Park)
        elif isinstance(message, Done):
            wanted.output = message.output
            wanted.effects = [held.key] if held.function == TRANSACTIONAL else ()
        if isinstance(command, Undo):
            wanted.entry = undoing.next_entry(self.db, held, command.scope, result.undo)
        if isinstance(command, Park | Complete):
            state = "failed" if isinstance(command, Park) else "succeeded"
            wanted.nothing_else = self._nothing_else(held, result.cursor, state)
        return wanted

    def _parked(self, held: Held, error: Any, reason: str) -> Write:
        """The step failed for good: the run waits for a person, its cursor as it was."""
        nothing_else = self._nothing_else(held, json.loads(held.cursor), "failed")
        parked = ends.Parked(error, reason, nothing_else, self._program(held).on_fault)
        return Write("step.failed", "failed", parked=parked)

    def _nothing_else(self, held: Held, cursor: dict[str, Any], state: str) -> bool:
        """Tell whether a run that ends or is parked has nothing open but the branch that says so."""
        cursors = (json.loads(held.cursor), cursor)
        others = ends.open_keys(*cursors) - {held.key} or any(c.get("timer") for c in cursors)
        undoes = state == "failed" and self._program(held).on_fault == "undo"
        return not (held.branch_parent or others or undoes)

    # --- undoing ----------------------------------------------------------------------------------------------------
    def _undone(self, held: Held, attempt: Came | None, came: list[Sequence[PushUndo]]) -> Write:
        """Record a compensation; the next one follows, or what the undoing was for goes on."""
        cursor = json.loads(held.cursor)
        if attempt is not None and attempt.what == "declined":
            return self._parked(held, attempt.value, ends.UNDO_FAILED)
        came.append(())
        effects = [held.key] if held.function == TRANSACTIONAL else ()
        wanted = Write("step.succeeded", effects=effects, undone=True, chosen=True)
        if "ending" in cursor and "undo-beside-undo" not in self.db.bugs:
            return self._after_undo_of_all(held, wanted, cursor["ending"])
        if held.key.endswith(LATE):
            return wanted
        frame = (cursor.get("frames") or [{}])[-1]
        scope, key = frame.get("scope", ""), frame.get("rest", frame.get("key", ""))
        wanted.entry = undoing.next_entry(self.db, held, scope)
        if wanted.entry is not None:
            return wanted
        wanted.ending = cursor.get("ending")
        if wanted.ending is not None:
            return wanted
        message = Done(key, {})
        wanted = self._moved_on(held, message, self._advance(held, message))
        wanted.undone, wanted.chosen, wanted.effects, wanted.output = True, True, effects, None
        return wanted

    def _after_undo_of_all(self, held: Held, wanted: Write, ending: dict[str, Any]) -> Write:
        """Go on with the undo of the whole run unless another step does; the last one ends the run."""
        beside = undoing.beside(self.db, held)
        if all(key.endswith(LATE) for key in beside):
            wanted.entry = undoing.next_entry(self.db, held, "")
        if wanted.entry is None and not beside:
            wanted.ending = ending
        return wanted

    def _settled(self, held: Held, result: Advance) -> Advance:
        """Go on behind an Undo that has nothing, or nothing more, to do."""
        while isinstance(result.command, Undo):
            if undoing.next_entry(self.db, held, result.command.scope, result.undo) is not None:
                break
            after = self._apply(held, result.cursor, result.context, Done(result.command.key, {}), held.stopped)
            result = undoing.merged(result, after)
        return result

    # --- forks ------------------------------------------------------------------------------------------------------
    def _left(self, held: Held, branch_id: int, error: Any) -> Left | None:
        """Ask what is around the fork whether it takes a fault of this branch; None: the run is parked on it."""
        branch = self.db.branches[branch_id]
        if branch.parent is None or branch.join is None:
            return None
        parent, join = self.db.branches[branch.parent], self.db.steps[branch.join]
        if join.function == "compete" and parent.open > 1:
            return Left(error, not_last=True)
        try:
            result = self._apply(held, json.loads(parent.cursor), json.loads(held.context), Failed(join.key, error))
        except Stale:
            return None
        taken = not isinstance(result.command, Park) or self._left(held, parent.id, error) is not None
        return Left(error, not_last=False) if taken else None

    def _fork_message(self, held: Held) -> Message | None:
        """Return what became of the fork that a join waits for; None while it is open."""
        branches = [b for b in self.db.branches.values() if b.join == held.step]
        ended = sorted((b for b in branches if b.state == "closed"), key=lambda b: (b.closed, b.index))
        failed = [b for b in ended if b.error is not None]
        if held.function == "compete":
            winner = next((b for b in ended if b.error is None), None)
            if winner is not None:
                return Done(held.key, winner.output)
            return Failed(held.key, failed[-1].error) if len(failed) == len(branches) else None
        if failed:
            return Failed(held.key, failed[0].error)
        outputs = [b.output for b in sorted(branches, key=lambda b: b.index)]
        return Done(held.key, outputs) if len(ended) == len(branches) else None

    # --- messages ---------------------------------------------------------------------------------------------------
    def _message(self, held: Held, attempt: Came | None) -> Message:
        if attempt is not None:
            kind = Done if attempt.what == "done" else Failed
            return kind(held.key, attempt.value)
        if held.kind == "start":
            return Start(held.run_input)
        if held.kind == "timer":
            return TimedOut(held.key)
        if held.kind == "task":
            return Continue()
        return (self._fork_message(held) if held.kind == "join" else None) or Done(held.key)

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
                wanted = Write(f"step.{state}", state, result, consumed=(number,))
                wanted.nothing_else = self._nothing_else(held, result.cursor, "succeeded")
                return wanted
        return Write("step.resting", "waiting")

    def _advance(self, held: Held, message: Message) -> Advance:
        cursor = json.loads(held.cursor)
        if "undo-restarts" in self.db.bugs:
            cursor.pop("ending", None)
        return self._apply(held, cursor, json.loads(held.context), message, held.stopped)

    def _apply(self, held: Held, cursor: Any, context: Any, message: Message, stopped: bool = False) -> Advance:
        facts = self.scenario.facts(held.run, held.run_input, stopped=stopped)
        return advance(
            self._program(held), cursor, message, context=context, facts=facts, services=SERVICES,
            now=checkpoint.now(self.db),
        )  # fmt: skip

    def _program(self, held: Held) -> Any:
        return self.scenario.program(held.program)
