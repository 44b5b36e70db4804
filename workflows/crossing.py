"""Whether a fault that nobody catches inside a branch of a fork is taken outside of it (R11).

Nothing is cancelled for a fault that a person has to repair, so this is decided before the branch is given up: by
asking the engine what the branch around the fork would do. A competing branch simply drops out while others run.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from workflows import payloads
from workflows.checkpoint import Closed
from workflows.engine.advance import Stale, advance
from workflows.engine.messages import Failed, Park
from workflows.engine.services import Facts
from workflows.job import Job
from workflows.language.program import Fork
from workflows.models import Branch, Step
from workflows.progress import Left
from workflows.services import SERVICES


@dataclass(frozen=True, slots=True)
class _Around:
    """The branch around a fork, and the step that waits there."""

    branch: Branch
    key: str
    compete: bool


def left(job: Job, error: dict[str, Any]) -> Left | None:
    """Return how the held step's branch is given up for a fault; None when the run has to be parked on it."""
    if job.held.branch_parent is None or job.held.join_step is None:
        return None
    around = _around(job, job.held.branch_parent, job.held.join_step)
    if around.compete and around.branch.open > 1:
        return Left(error, Closed(error=error, not_last=True))
    if _taken(job, around, error):
        return Left(error, Closed(error=error, last=False))
    return None


def _taken(job: Job, around: _Around, error: dict[str, Any]) -> bool:
    branch = around.branch
    found = payloads.load(job.held.run, payloads.cursor_cells(branch.cursor))
    cursor = payloads.resolve_cursor(branch.cursor, found)
    facts = Facts(str(job.held.run), job.run_input, job.held.run_created_at)
    try:
        result = advance(
            job.program,
            cursor,
            Failed(around.key, error),
            context=job.context,
            facts=facts,
            services=SERVICES,
            now=job.now(),
        )
    except Stale:
        return False
    if not isinstance(result.command, Park):
        return True
    if branch.parent_id is None or branch.join_step is None:
        return False
    further = _around(job, branch.parent_id, branch.join_step)
    return (further.compete and further.branch.open > 1) or _taken(job, further, error)


def _around(job: Job, branch: uuid.UUID, join_step: uuid.UUID) -> _Around:
    step = Step.objects.only("key", "ref").get(pk=join_step)
    task = job.program.task_at(step.ref)
    return _Around(Branch.objects.get(pk=branch), step.key, isinstance(task, Fork) and task.compete)
