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
from workflows.operations.locking import Locked, lock_line, raise_revision, record
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
    head, children = line.head, line.family[1:]
    recorded = Undo.objects.filter(run=run_id, state__in=LEFT).count()
    begun = Step.objects.filter(run=run_id, key=KEY).exists()
    refuse(rules.undo_refusal(head.run.state, recorded=recorded, begun=begun))
    end(children, actor, reason)
    end_steps([head.run])
    record([(head, "run.undo_requested", {"was": head.run.state, "recorded": recorded})], actor, reason)
    _begin(head, {"state": "cancelled", "reason": "undone"})
    wake.workers()


def undo_after_fault(run_id: uuid.UUID, error: Mapping[str, Any] | None, *, actor: str) -> None:
    """Undo a run that was just parked, if there is anything to undo, in the transaction that parked it.

    It ends as failed, for good: its workflow says so (`onFault: undo`).
    """
    line = lock_line(run_id)
    head = line.head
    recorded = Undo.objects.filter(run=run_id, state__in=LEFT).count()
    if not recorded or Step.objects.filter(run=run_id, key=KEY).exists():
        return
    end(line.family[1:], actor, "")
    end_steps([head.run])
    record([(head, "run.undo_requested", {"was": "failed", "recorded": recorded})], actor, "onFault")
    _begin(head, {"state": "failed", "reason": "undone", "error": error})
    wake.workers()


def _begin(head: Locked, ending: Mapping[str, Any]) -> None:
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
