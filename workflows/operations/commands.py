"""What operators do to runs. Each locks the run, then its open branches in order, and raises their revision: a
checkpoint that still read the old state then fails its guard and looks again. Running steps are never touched.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from actions.running import refuse_inside_handler
from audit.models import AuditEvent
from audit.recording import seal
from workflows import payloads, rules, wake
from workflows.models import Branch, Run, Step
from workflows.operations.errors import NotAllowed, UnknownRun

UNTOUCHED = ("ready", "waiting", "held", "failed")


@dataclass(frozen=True, slots=True)
class Locked:
    """A run under lock, with its open branches in id order; the first is the root."""

    run: Run
    branches: list[Branch]


def retry(run_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """Retry a failed run from the failed step, with all its attempts anew. Raises UnknownRun, NotAllowed."""
    refuse_inside_handler("retry a run")
    with transaction.atomic():
        locked = _lock(run_id)
        refusal = rules.retry_refusal(locked.run.state, locked.run.resolved_at)
        if refusal:
            raise NotAllowed(refusal)
        failed = list(_steps(locked.run).filter(state="failed"))
        for step in failed:
            _make_ready(step)
        _steps(locked.run).filter(state="held").update(state="ready")
        Run.objects.filter(pk=run_id).update(state="running", reason="", error=None)
        _record(locked, "run.retried", actor, reason, {"steps": [step.key for step in failed]})
        wake.workers()


def cancel(run_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """End a run; a step that is running finishes without effect on it. Raises UnknownRun, NotAllowed."""
    refuse_inside_handler("cancel a run")
    with transaction.atomic():
        locked = _lock(run_id)
        refusal = rules.cancel_refusal(locked.run.state)
        if refusal:
            raise NotAllowed(refusal)
        ended = [step.pk for step in _steps(locked.run)]
        Step.objects.filter(pk__in=ended).update(state="cancelled", finished_at=Now())
        Run.objects.filter(pk=run_id).update(state="cancelled", reason="", finished_at=Now())
        _record(locked, "run.cancelled", actor, reason, {"was": locked.run.state}, branch_state="closed")


def _lock(run_id: uuid.UUID) -> Locked:
    run = Run.objects.select_for_update(no_key=True).filter(pk=run_id).first()
    if run is None:
        raise UnknownRun(run_id)
    branches = Branch.objects.select_for_update(no_key=True).filter(run=run, state="open").order_by("id")
    return Locked(run, list(branches))


def _steps(run: Run) -> Any:
    """Return the steps that nobody executes, locked; a running one meets the raised revision instead."""
    steps = Step.objects.select_for_update(no_key=True, skip_locked=True)
    return steps.filter(run=run, state__in=UNTOUCHED).order_by("id")


def _make_ready(step: Step) -> None:
    """Put a failed step back. A definite refusal means that nothing happened, so the effect gets a new key."""
    error = payloads.resolve(step.error, payloads.load(step.run_id, [step.error]))
    refused = bool(error and error.get("definite"))
    Step.objects.filter(pk=step.pk).update(
        state="ready",
        due_at=Now(),
        failures=0,
        crashes=0,
        finished_at=None,
        generation=F("generation") + (1 if refused else 0),
    )


def _record(
    locked: Locked, kind: str, actor: str, reason: str, data: Mapping[str, Any], *, branch_state: str = "open"
) -> None:
    """Append the event to the root branch's chain and raise every open branch's revision."""
    root, *others = locked.branches
    now = Run.objects.filter(pk=locked.run.pk).annotate(now=Now()).values_list("now", flat=True).get()
    link = seal(
        bytes(root.audit_head),
        chain=root.id,
        seq=root.audit_seq + 1,
        run=locked.run.id,
        kind=kind,
        actor=actor,
        reason=reason,
        at=now,
        data=data,
    )
    AuditEvent.objects.create(
        chain=link.chain,
        seq=link.seq,
        run=link.run,
        kind=link.kind,
        actor=link.actor,
        reason=link.reason,
        at=link.at,
        data=link.data,
        hash=link.hash,
    )
    Branch.objects.filter(pk=root.pk).update(
        revision=F("revision") + 1, audit_seq=link.seq, audit_head=link.hash, state=branch_state
    )
    Branch.objects.filter(pk__in=[branch.pk for branch in others]).update(
        revision=F("revision") + 1, state=branch_state
    )
