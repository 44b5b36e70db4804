"""What the audit trail says of a run, in words."""

import json
import uuid

from audit.models import AuditEvent
from workflows.models import Message
from workflows.queries.rows import AuditView
from workflows.queries.sentences import audit_sentence

KEY_EVENTS = 8
MOST_READ, FIRST_READ = 5_000, 100  # of the newest and of the oldest events of a run, to find those that are told
ORDINARY = ("step.succeeded", "branch.opened", "branch.closed", "connection.used", "run.waiting")


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


def key_events(run_id: uuid.UUID, limit: int = KEY_EVENTS) -> list[AuditView]:
    """Return the last of what people or faults made happen to a run, and its beginning, the oldest first.

    Of a run with very many events only the newest 5,000 are looked at: a page asks again every few seconds.
    """
    events = AuditEvent.objects.filter(run=run_id)
    latest = AuditEvent.objects.filter(pk__in=events.order_by("-id").values("pk")[:MOST_READ])
    earliest = AuditEvent.objects.filter(pk__in=events.order_by("id").values("pk")[:FIRST_READ])
    told = latest.exclude(kind__in=ORDINARY)
    newest = list(told.order_by("-at", "-chain", "-seq")[:limit])[::-1]
    first = earliest.filter(kind="run.started").order_by("id").first()
    if first is not None and first not in newest:
        newest = [first, *newest[-(limit - 1) :]]
    return [audit_view(event) for event in newest]


def count_events(run_id: uuid.UUID, *, trail: bool, limit: int = 1_000) -> int:
    """Return how many messages a run got, and with `trail` how many events its audit trail has; at most `limit`."""
    count = Message.objects.filter(run=run_id).values("pk")[:limit].count()
    if trail:
        count += AuditEvent.objects.filter(run=run_id).values("pk")[:limit].count()
    return min(count, limit)
