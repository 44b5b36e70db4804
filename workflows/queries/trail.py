"""What the audit trail says of a run, in words."""

import json
import uuid

from audit.models import AuditEvent
from workflows.queries.rows import AuditView
from workflows.queries.sentences import audit_sentence


def audit(run_id: uuid.UUID, *, after: int = 0, limit: int = 200) -> list[AuditView]:
    """Return the audit events of a run in the order in which they happened, from its event number `after` on.

    Not by id: the links of one checkpoint are inserted by one statement, in whatever order the server chooses.
    """
    rows = AuditEvent.objects.filter(run=run_id).order_by("at", "chain", "seq")[after : after + limit]
    return [audit_view(event) for event in rows]


def audit_view(event: AuditEvent) -> AuditView:
    """Return an audit event in words."""
    data = json.loads(event.data)
    return AuditView(
        seq=event.seq,
        chain=event.chain,
        at=event.at,
        kind=event.kind,
        actor=event.actor,
        reason=event.reason,
        data=data,
        sentence=audit_sentence(event.kind, data),
    )
