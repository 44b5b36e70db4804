"""Erase a run: everything that was stored of it and of the runs that it started goes at once, and into no archive.

What is left is the audit trail: who did what and when, with digests of values, and that it was erased.
"""

import uuid
from collections.abc import Sequence

from actions.running import refuse_inside_handler
from audit.recording import seal
from workflows import rules
from workflows.models import Branch, Run, Step
from workflows.operations.errors import NotAllowed, refuse
from workflows.operations.locking import keep
from workflows.operations.missing import missing
from workflows.operations.together import in_one_transaction
from workflows.retention.removal import remove
from workflows.sql import Statement

# Events that reached nobody else are kept to be known when they come again, without what they said.
_FORGET = Statement(
    """
    UPDATE event e SET subject = '', envelope = jsonb_build_object('specversion', '1.0', 'id', e.event_id,
        'source', e.source, 'type', e.type)
    WHERE e.run_id IS NULL
        AND e.id IN (SELECT m.event_id FROM message m WHERE m.run_id = ANY(:runs::uuid[]))
        AND NOT EXISTS (SELECT FROM message o WHERE o.event_id = e.id AND o.run_id <> ALL(:runs::uuid[]))
    """
)
# Nor is a group of failures described any more in which there was nobody else.
_FORGET_FAILURES = Statement(
    """
    UPDATE failure_group g SET message = ''
    WHERE g.id IN (SELECT f.group_id FROM failure f WHERE f.run_id = ANY(:runs::uuid[]))
        AND NOT EXISTS (SELECT FROM failure o WHERE o.group_id = g.id AND o.run_id <> ALL(:runs::uuid[]))
    """
)
_PATIENCE = Statement("SELECT set_config('statement_timeout', '300s', true)")  # a run may have 100,000 steps
_NOW = Statement("SELECT clock_timestamp()")


@in_one_transaction
def erase(run_id: uuid.UUID, *, actor: str, reason: str) -> int:
    """Delete a run that is over, and those that it started, with everything that was stored; return how many.

    Raises UnknownRun, NotAllowed.
    """
    refuse_inside_handler("erase a run")
    runs = _family(run_id)
    for run in runs:
        refuse(_refusal(run_id, run))
    numbers = [run.pk for run in runs]
    if Step.objects.filter(run__in=numbers, state="running").exists():
        raise NotAllowed("A step of this run is still being worked on: erase it when that has ended.")
    _PATIENCE.rows()
    _record(runs, run_id, actor, reason)
    _FORGET.rows({"runs": numbers})
    _FORGET_FAILURES.rows({"runs": numbers})
    remove(numbers)
    return len(runs)


def _family(run_id: uuid.UUID) -> list[Run]:
    """Lock the run and all that it started, the topmost first. Raises UnknownRun."""
    locked = Run.objects.select_for_update()
    head = locked.filter(pk=run_id).first()
    if head is None:
        raise missing(run_id)
    return [head, *locked.filter(root=run_id).order_by("depth", "id")]


def _refusal(erased: uuid.UUID, run: Run) -> str | None:
    if run.pk == erased:
        return rules.erase_refusal(run.state, run.resolved_at, run.reason, started_by=run.root)
    refusal = rules.erase_refusal(run.state, run.resolved_at, run.reason)
    return refusal and f"The run {run.pk}, which it started, is not over. {refusal}"


def _record(runs: Sequence[Run], head: uuid.UUID, actor: str, reason: str) -> None:
    """End the chain of each run with its erasure."""
    at = _NOW.rows()[0][0]
    roots = Branch.objects.filter(run__in=runs, parent=None)
    data = {"runs": len(runs)}
    links = [
        seal(
            bytes(branch.audit_head),
            chain=branch.pk,
            seq=branch.audit_seq + 1,
            run=branch.run_id,
            kind="run.erased",
            actor=actor,
            reason=reason,
            at=at,
            data=data if branch.run_id == head else {"with": str(head)},
        )
        for branch in roots.order_by("id")
    ]
    keep(links)
