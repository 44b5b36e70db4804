"""Write audit events. Each chain is numbered without gaps and every link's hash covers the link before it.

The hot path writes its links inside the checkpoint statement (`workflows/checkpoint.py`) and only uses `seal`;
everything else calls `record`. `audit/walking.py` computes the same hashes again.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from audit.formulas import GENESIS, RUN, link_hash
from audit.models import AuditEvent
from dotdo_site.lib import canonical

TRAIL = uuid.UUID("1d0d5c6e-8c5b-5f0a-9b7e-4f6f3a2c9e10")  # the chain of what is done with the trail itself
KINDS = {
    "run.started": "The run was started.",
    "run.succeeded": "The run finished.",
    "run.failed": "The run was parked: a fault nobody caught.",
    "run.cancelled": "The run was cancelled.",
    "run.retried": "The run was retried from the failed step.",
    "run.run_again": "The run was run again, on the version that was published then.",
    "run.repeats": "The run repeats an earlier one.",
    "run.revealed": "Somebody looked at the sensitive fields of the run.",
    "run.unparked": "The run goes on: the child run that it was parked on was repaired.",
    "run.suspended": "The run was suspended.",
    "run.resumed": "The run was resumed.",
    "run.resolved": "The failed run was settled in another way.",
    "run.erased": "The run was erased, with those that it had started and everything that was stored of them.",
    "retention.deleted": "Runs that were over for long enough were exported and deleted.",
    "retention.changed": "How long the runs of a definition are kept was changed.",
    "run.undo_requested": "It was asked to undo what the run has done.",
    "run.waiting": "The run rests until something is due.",
    "run.blocked": "No worker here knows the handler; the run waits for one.",
    "step.succeeded": "A step succeeded.",
    "step.failed": "A step failed for good.",
    "step.retrying": "An attempt failed; the step will be tried again.",
    "step.cancelled": "A step ended because its run had ended.",
    "batch.started": "A command to many runs was given.",
    "batch.finished": "A command to many runs was worked off.",
    "batch.stopped": "A command to many runs was stopped before every run had its turn.",
    "runs.exported": "Runs were exported.",
    "step.skipped": "A step was passed over with an output given by hand.",
    "timer.fired": "A wait was ended early.",
    "approval.answered": "An approval was answered.",
    "branch.opened": "A branch of a fork began.",
    "branch.closed": "A branch of a fork came to its end.",
    "event.received": "An event came in and was handed to those it is meant for.",
    "schedule.set": "The workflow got a schedule, or another one, with the version that was published.",
    "schedule.removed": "The version that was published has no schedule: the workflow no longer starts by itself.",
    "schedule.paused": "The schedule was paused.",
    "schedule.resumed": "The schedule was resumed.",
    "schedule.run_now": "A run was started now, as the schedule would.",
    "schedule.skipped": "Moments that were missed in downtime were left out.",
    "schedule.failed": "The schedule could not start a run.",
    "queue.paused": "A queue was paused: none of its steps begins.",
    "queue.resumed": "A paused queue goes on.",
    "worker.drained": "A worker was told to take no further step.",
    "worker.undrained": "A drained worker was told to take steps again.",
    "webhook.accepted": "A signed webhook was accepted.",
    "endpoint.changed": "A signed endpoint for webhooks was set up or changed.",
    "entry.written": "A datastore entry was written by a person or an integration.",
    "entry.deleted": "A datastore entry was deleted by a person or an integration.",
    "action.drafted": "A draft of an action version was saved.",
    "action.published": "An action version was published.",
    "action.deprecated": "An action version was deprecated.",
    "workflow.drafted": "A draft of a workflow version was saved.",
    "workflow.published": "A workflow version was published.",
    "connection.changed": "A connection's secret was set.",
    "connection.used": "A connection's secret was handed to a step.",
    "key.issued": "An API key was issued.",
    "key.revoked": "An API key was revoked.",
    "link.issued": "A one-time sign-in link was issued.",
    "session.signed_in": "A person signed in.",
    "session.signed_out": "A person signed out.",
    "session.refused": "A sign-in was refused.",
    "session.locked": "Sign-in was locked after too many refusals.",
    "password.changed": "A person set a new password.",
    "notification.rule_changed": "A rule that says who is told of what was set up or changed.",
    "notification.tested": "A test message was sent to the addresses of a rule.",
    "notification.muted": "Notifications were muted until a moment.",
    "notification.unmuted": "Notifications were unmuted.",
    "notification.resent": "A notification that did not arrive was sent again.",
    "failure.resolved": "The cause of a group of failures was removed.",
    "failure.ignored": "A group of failures was set aside until a moment or a count.",
    "failure.reopened": "A group of failures was opened again.",
    "secrets.rotated": "Connection secrets were encrypted with the current key.",
    "epoch.raised": "The fences of all steps moved up: the database was restored, or another server took over.",
    "audit.exported": "The audit trail, or a part of it, was exported.",
    "audit.verification_asked": "Somebody asked to verify the whole audit trail.",
    "audit.verified": "The whole audit trail was verified.",
    "audit.pruned": "Chains of runs that are gone were deleted; a tombstone is left of each.",
}


class UnknownKind(ValueError):
    """An audit kind that is not listed in `audit.recording.KINDS`."""


@dataclass(frozen=True, slots=True)
class Link:
    """One event, sealed into its chain and ready to be inserted."""

    chain: uuid.UUID
    seq: int
    run: uuid.UUID | None
    kind: str
    actor: str
    reason: str
    at: datetime
    data: str
    hash: bytes


def seal(
    previous: bytes,
    *,
    chain: uuid.UUID,
    seq: int,
    kind: str,
    actor: str,
    at: datetime,
    run: uuid.UUID | None = None,
    reason: str = "",
    data: Mapping[str, Any] | None = None,
) -> Link:
    """Return the link that follows the one with hash `previous`; the first one says whose it is. Raises UnknownKind."""
    if kind not in KINDS:
        raise UnknownKind(f"audit kind {kind!r} is not known: add it to audit.recording.KINDS")
    text = canonical.dumps(_said(data, None if seq else run))
    return Link(
        chain, seq, run, kind, actor, reason, at, text, link_hash(previous, chain, seq, kind, actor, reason, at, text)
    )


def record(
    *,
    chain: uuid.UUID,
    kind: str,
    actor: str,
    reason: str = "",
    data: Mapping[str, Any] | None = None,
    run: uuid.UUID | None = None,
) -> None:
    """Append an event to a chain that is not a branch's, in the caller's transaction. Raises UnknownKind.

    With `run` it is listed among the events of that run.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [chain.int >> 65])
            cursor.execute("SELECT clock_timestamp()")
            at = cursor.fetchone()[0]
        last = AuditEvent.objects.filter(chain=chain).order_by("-seq").values_list("seq", "hash").first()
        previous, seq = (bytes(last[1]), last[0] + 1) if last else (GENESIS, 0)
        said = _said(data, run)
        link = seal(previous, chain=chain, seq=seq, kind=kind, actor=actor, reason=reason, at=at, run=run, data=said)
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


def _said(data: Mapping[str, Any] | None, run: uuid.UUID | None) -> Mapping[str, Any]:
    return {**(data or {}), RUN: str(run)} if run else data or {}
