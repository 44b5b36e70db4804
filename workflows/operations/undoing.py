"""Undo what a run has done: everything open ends, then workers run the recorded compensations, the last one first."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models.functions import Now

from actions.running import refuse_inside_handler
from workflows import rules, wake
from workflows.models import Run, Step, Undo
from workflows.operations.commands import end, end_steps
from workflows.operations.errors import refuse
from workflows.operations.locking import Line, lock_line, raise_revision, record
from workflows.operations.together import in_one_transaction

KEY = "#undo"
LEFT = ("recorded", "running")


@in_one_transaction
def undo(run_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """End a run by undoing its finished steps, the last one first; children that are open are cancelled.

    Raises UnknownRun, NotAllowed.
    """
    refuse_inside_handler("undo a run")
    line = lock_line(run_id)
    recorded, begun = _recorded(run_id)
    refuse(rules.undo_refusal(line.head.run.state, recorded=recorded, begun=begun))
    _begin(line, {"state": "cancelled", "reason": "undone"}, recorded, actor, reason)


def undo_after_fault(run_id: uuid.UUID, error: Mapping[str, Any] | None, *, actor: str) -> None:
    """Undo a run that was just parked, if there is anything to undo, in the transaction that parked it.

    It ends as failed, for good: its workflow says so (`onFault: undo`).
    """
    line = lock_line(run_id)
    recorded, begun = _recorded(run_id)
    if recorded and not begun:
        _begin(line, {"state": "failed", "reason": "undone", "error": error}, recorded, actor, "onFault")


def _recorded(run_id: uuid.UUID) -> tuple[int, bool]:
    """Return how much is left to undo, and whether that was begun before."""
    left = Undo.objects.filter(run=run_id, state__in=LEFT).count()
    return left, Step.objects.filter(run=run_id, key=KEY).exists()


def _begin(line: Line, ending: Mapping[str, Any], recorded: int, actor: str, reason: str) -> None:
    head = line.head
    end(line.family[1:], actor, reason)
    end_steps([head.run])
    record([(head, "run.undo_requested", {"was": head.run.state, "recorded": recorded})], actor, reason)
    run, root = head.run, head.root
    others = [branch for branch in head.branches if branch is not root]
    raise_revision(others, state="closed", closed_at=Now(), rest="")
    raise_revision([root], cursor={"frames": [], "ending": ending}, rest="", open=0)
    Step.objects.create(
        run=run,
        branch=root,
        key=KEY,
        ref="",
        name="undo",
        kind="undo",
        due_at=Now(),
        created_at=Now(),
        queue=run.queue,
        priority=run.priority,
    )
    Run.objects.filter(pk=run.pk).update(
        state="running", reason=rules.UNDOING, error=None, resolved_at=None, stopped_at=None
    )
    wake.workers()
