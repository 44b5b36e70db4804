"""Write audit events. Each chain is numbered without gaps and every link's hash covers the link before it.

The hot path writes its links inside the checkpoint statement (`workflows/checkpoint.py`) and only uses `seal`;
everything else calls `record`. `audit/walking.py` computes the same hashes again.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils.translation import gettext_noop as _

from audit.formulas import GENESIS, RUN, link_hash
from audit.models import AuditEvent
from dotdo_site.lib import canonical

TRAIL = uuid.UUID("1d0d5c6e-8c5b-5f0a-9b7e-4f6f3a2c9e10")  # the chain of what is done with the trail itself
KINDS = {
    "run.started": _("The run was started."),
    "run.succeeded": _("The run finished."),
    "run.failed": _("The run was parked: a fault nobody caught."),
    "run.cancelled": _("The run was cancelled."),
    "run.retried": _("The run was retried from the failed step."),
    "run.run_again": _("The run was run again, on the version that was published then."),
    "run.repeats": _("The run repeats an earlier one."),
    "run.revealed": _("Somebody looked at the sensitive fields of the run."),
    "run.unparked": _("The run goes on: the child run that it was parked on was repaired."),
    "run.suspended": _("The run was suspended."),
    "run.resumed": _("The run was resumed."),
    "run.resolved": _("The failed run was settled in another way."),
    "run.erased": _("The run was erased, with those that it had started and everything that was stored of them."),
    "retention.deleted": _("Runs that were over for long enough were exported and deleted."),
    "retention.changed": _("How long the runs of a definition are kept was changed."),
    "run.undo_requested": _("It was asked to undo what the run has done."),
    "run.waiting": _("The run rests until something is due."),
    "run.blocked": _("No worker here knows the handler; the run waits for one."),
    "step.succeeded": _("A step succeeded."),
    "step.failed": _("A step failed for good."),
    "step.retrying": _("An attempt failed; the step will be tried again."),
    "step.cancelled": _("A step ended because its run had ended."),
    "batch.started": _("A command to many runs was given."),
    "batch.finished": _("A command to many runs was worked off."),
    "batch.stopped": _("A command to many runs was stopped before every run had its turn."),
    "runs.exported": _("Runs were exported."),
    "step.skipped": _("A step was passed over with an output given by hand."),
    "timer.fired": _("A wait was ended early."),
    "approval.answered": _("An approval was answered."),
    "branch.opened": _("A branch of a fork began."),
    "branch.closed": _("A branch of a fork came to its end."),
    "event.received": _("An event came in and was handed to those it is meant for."),
    "schedule.set": _("The workflow got a schedule, or another one, with the version that was published."),
    "schedule.removed": _("The version that was published has no schedule: the workflow no longer starts by itself."),
    "schedule.paused": _("The schedule was paused."),
    "schedule.resumed": _("The schedule was resumed."),
    "schedule.run_now": _("A run was started now, as the schedule would."),
    "schedule.skipped": _("Moments that were missed in downtime were left out."),
    "schedule.failed": _("The schedule could not start a run."),
    "queue.paused": _("A queue was paused: none of its steps begins."),
    "queue.resumed": _("A paused queue goes on."),
    "worker.drained": _("A worker was told to take no further step."),
    "worker.undrained": _("A drained worker was told to take steps again."),
    "webhook.accepted": _("A signed webhook was accepted."),
    "endpoint.changed": _("A signed endpoint for webhooks was set up or changed."),
    "entry.written": _("A datastore entry was written by a person or an integration."),
    "entry.deleted": _("A datastore entry was deleted by a person or an integration."),
    "action.drafted": _("A draft of an action version was saved."),
    "action.published": _("An action version was published."),
    "action.deprecated": _("An action version was deprecated."),
    "workflow.drafted": _("A draft of a workflow version was saved."),
    "workflow.published": _("A workflow version was published."),
    "connection.changed": _("A connection's secret was set."),
    "connection.used": _("A connection's secret was handed to a step."),
    "key.issued": _("An API key was issued."),
    "key.revoked": _("An API key was revoked."),
    "link.issued": _("A one-time sign-in link was issued."),
    "session.signed_in": _("A person signed in."),
    "session.signed_out": _("A person signed out."),
    "session.refused": _("A sign-in was refused."),
    "session.locked": _("Sign-in was locked after too many refusals."),
    "password.changed": _("A person set a new password."),
    "notification.rule_changed": _("A rule that says who is told of what was set up or changed."),
    "notification.tested": _("A test message was sent to the addresses of a rule."),
    "notification.muted": _("Notifications were muted until a moment."),
    "notification.unmuted": _("Notifications were unmuted."),
    "notification.resent": _("A notification that did not arrive was sent again."),
    "failure.resolved": _("The cause of a group of failures was removed."),
    "failure.ignored": _("A group of failures was set aside until a moment or a count."),
    "failure.reopened": _("A group of failures was opened again."),
    "secrets.rotated": _("Connection secrets were encrypted with the current key."),
    "epoch.raised": _("The fences of all steps moved up: the database was restored, or another server took over."),
    "audit.exported": _("The audit trail, or a part of it, was exported."),
    "audit.verification_asked": _("Somebody asked to verify the whole audit trail."),
    "audit.verified": _("The whole audit trail was verified."),
    "audit.pruned": _("Chains of runs that are gone were deleted; a tombstone is left of each."),
}


class UnknownKind(ValueError):
    """An audit kind that is not listed in `audit.recording.KINDS`."""


class Link(NamedTuple):
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
    text = canonical.dumps((data or {}) if seq else _said(data, run))
    found = link_hash(previous, chain, seq, kind, actor, reason, at, text)
    return Link(chain, seq, run, kind, actor, reason, at, text, found)


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
