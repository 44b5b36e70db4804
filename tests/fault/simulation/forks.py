"""How branches of a fork begin and end, as the statement of a checkpoint does it."""

import json
from dataclasses import dataclass
from typing import Any

from tests.fault.simulation import cutting
from tests.fault.simulation.rows import STOPPED, Branch, Database, Step
from workflows.engine.messages import OpenFork


@dataclass(frozen=True, slots=True)
class Left:
    """A fault that leaves its branch: something around the fork takes it, or others race on (`not_last`)."""

    error: Any
    not_last: bool


def open_fork(db: Database, branch: Branch, command: OpenFork) -> None:
    """Give each branch a row and a first step; the join waits for them."""
    join = insert(db, branch, command.key, "join", state="waiting", function="compete" if command.compete else "")
    branch.open = len(command.branches)
    for start in command.branches:
        more = {"parent": branch.id, "index": start.index, "join": join.id, "frame": start.frame}
        inside = db.branch(branch.run, cursor=json.dumps(start.cursor), **more)
        insert(db, inside, start.frame + "#begin", "task")


def end_branch(db: Database, branch: Branch, output: Any, left: Left | None = None) -> None:
    """End a branch with its output, or given up for a fault; the join looks at it."""
    parent, join = around(db, branch)
    branch.output, branch.error = output, left.error if left else None
    db.close(branch)
    for step in [s for s in db.open_steps(branch.run) if s.branch == branch.id]:
        cutting.cut(db, step)
    if "double-join" not in db.bugs:
        count_end(db, branch)
    parent.revision += 1
    decides = not left.not_last if left else join.function == "compete"
    if parent.open == 0 or decides:
        cutting.wake(db, join)


def count_end(db: Database, branch: Branch) -> None:
    """Count the end of a branch; apart from it, a crash counts it twice: the planted bug."""
    assert branch.parent is not None
    db.branches[branch.parent].open -= 1
    branch.counted += 1


def around(db: Database, branch: Branch) -> tuple[Branch, Step]:
    """Return the branch around a fork, and the step that waits there."""
    assert branch.parent is not None
    assert branch.join is not None
    return db.branches[branch.parent], db.steps[branch.join]


def insert(db: Database, branch: Branch, key: str, kind: str, state: str = "ready", **more: Any) -> Step:
    """Add a step; in a run that is parked or suspended nothing begins."""
    stopped = db.runs[branch.run].state in STOPPED and state != "failed"
    return db.insert(branch.id, key, kind, "held" if stopped else state, **more)
