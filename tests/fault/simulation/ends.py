"""How a run ends or is parked by a checkpoint, and what that means for others, as in recording.py and progress.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fault.simulation import cutting, undoing
from tests.fault.simulation.rows import RESTING, UNDONE, Branch, Database, Run

DEAD_LETTER, UNDO_FAILED = "dead_letter", "undo_failed"


@dataclass(frozen=True, slots=True)
class Parked:
    """Why a run is parked. `nothing_else`: only its own branch is open; `on_fault` is what its document says."""

    error: Any
    reason: str
    nothing_else: bool
    on_fault: str


def open_keys(*cursors: Mapping[str, Any]) -> set[str]:
    """Return the keys of timers and of steps in which tasks rest."""
    keys: set[str] = set()
    for cursor in cursors:
        frames = cursor.get("frames", ())
        for place, frame in enumerate(frames, 1):
            keys |= set(frame.get("timers", ()))
            if "task" in frame and "out" not in frame and ("pins" in frame or place == len(frames)):
                keys.add(frame.get("rest", frame["key"]))
    return keys


def complete(db: Database, run: Run, branch: Branch, output: Any, nothing_else: bool) -> None:
    """End a run with its output, and all that is open beside the branch that says so."""
    db.run_becomes(run, "succeeded")
    run.output = output
    db.close(branch)
    if not nothing_else:
        cutting.end_others(db, run)
    cutting.wake_parent(db, run)


def park(db: Database, run: Run, parked: Parked) -> None:
    """Fail the run: what rests is held, what runs goes on. Its document may say that it is undone then."""
    if run.state == "failed":
        return
    db.run_becomes(run, "failed", parked.reason)
    run.error = parked.error
    if not parked.nothing_else:
        cutting.hold(db, run)
    if parked.on_fault == "undo" and parked.reason != UNDO_FAILED and undoing.left(db, run):
        undoing.begin_all(db, run, {"state": "failed", "reason": UNDONE})
    cutting.wake_parent(db, run)


def end_undone(db: Database, run: Run, ending: Mapping[str, Any]) -> None:
    """End a run as it was decided when its undoing began, with all that is left in it."""
    db.run_becomes(run, ending["state"], ending["reason"])
    if run.state != "failed":
        for branch in db.open_branches(run.id):
            db.close(branch)
    cutting.cancel(db, [step for step in db.open_steps(run.id) if step.state in (*RESTING, "running")])
    cutting.wake_parent(db, run)
