"""The search in the audit trail, newest first: by what indexes know, and by the rest among so many events."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from actions.models import Action
from audit.models import FREQUENT, PERSON, AuditEvent, Verification
from workflows.models import Workflow
from workflows.queries import keyset
from workflows.queries.keyset import Looked
from workflows.queries.sentences import audit_sentence

APART = timedelta(minutes=10)  # between the moment of an event and its place among the ids


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which events of the trail; an empty field filters nothing. `definition` is the name of a workflow or action."""

    kind: str = ""
    actor: str = ""
    run: uuid.UUID | None = None
    chain: uuid.UUID | None = None
    definition: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """An event of the trail in words. `about`: what it concerns, as (kind of page, name or id), if there is a page."""

    id: int
    at: datetime
    kind: str
    actor: str
    reason: str
    sentence: str
    run: uuid.UUID | None
    chain: uuid.UUID
    seq: int
    data: dict[str, Any]
    about: tuple[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRow:
    """A verification of the whole trail and what it found."""

    id: uuid.UUID
    state: str
    asked_by: str
    asked_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    events: int
    chains: int
    seals: int
    found: int
    findings: list[str]
    note: str


def audit_search(
    chosen: AuditFilter, *, after: str | None = None, before: str | None = None, limit: int = 50
) -> Looked[AuditRow]:
    """Return one page of the events that fit, the newest first. Raises BadCursor."""
    rows, among = _chosen(chosen)
    found = keyset.newest_first(rows, int, after=after, before=before, limit=limit, among=among)
    names = _names({event.chain for event in found.rows})
    return found.page([_row(event, names) for event in found.rows])


def chain_of(definition: str) -> uuid.UUID | None:
    """Return the chain of a workflow or an action: that of what was done to it, not of its runs."""
    models: tuple[Any, ...] = (Workflow, Action)
    ids = (model.objects.filter(name=definition).values_list("pk", flat=True).first() for model in models)
    return next((found for found in ids if found), None)


def verifications(limit: int = 5) -> list[VerificationRow]:
    """Return the last verifications of the whole trail."""
    names = VerificationRow.__slots__
    rows = Verification.objects.order_by("-id").values(*names)[:limit]
    return [VerificationRow(**row) for row in rows]


def _chosen(chosen: AuditFilter) -> "tuple[QuerySet[AuditEvent], Q | None]":
    """Return what indexes narrow, and what none does."""
    rows, among = _within(AuditEvent.objects.defer("hash"), chosen), Q()
    if chosen.run:
        rows = rows.filter(run=chosen.run)
    chain = chain_of(chosen.definition) if chosen.definition else None
    if chosen.definition:
        rows = rows.filter(chain=chain) if chain else rows.none()
    if chosen.chain:
        rows = rows.filter(chain=chosen.chain)
    if chosen.kind in FREQUENT:
        among &= Q(kind=chosen.kind)
    elif chosen.kind:
        rows = rows.filter(kind=chosen.kind)
    if chosen.actor.startswith(PERSON):
        rows = rows.filter(actor=chosen.actor, actor__startswith=PERSON)  # the second is what its index is for
    elif chosen.actor:
        among &= Q(actor=chosen.actor)
    if chosen.reason:
        rows, among = rows.exclude(reason=""), among & Q(reason__icontains=chosen.reason)
    return rows, among or None


def _within(rows: "QuerySet[AuditEvent]", chosen: AuditFilter) -> "QuerySet[AuditEvent]":
    """Keep the events of a time, by the ids of the chains that began about then."""
    began = AuditEvent.objects.filter(seq=0)
    if chosen.since:
        before = began.filter(at__lt=chosen.since - APART).order_by("-at", "-id").values_list("id", flat=True).first()
        rows = rows.filter(at__gte=chosen.since, pk__gt=before or 0)
    if chosen.until:
        behind = began.filter(at__gte=chosen.until + APART).order_by("at", "id").values_list("id", flat=True).first()
        rows = rows.filter(at__lt=chosen.until)
        rows = rows.filter(pk__lt=behind) if behind else rows
    return rows


def _names(chains: set[uuid.UUID]) -> dict[uuid.UUID, tuple[str, str]]:
    """Return the definitions among the chains, as (kind, name)."""
    found = dict[uuid.UUID, tuple[str, str]]()
    models: Mapping[str, Any] = {"workflow": Workflow, "action": Action}
    for kind, model in models.items():
        found |= {pk: (kind, name) for pk, name in model.objects.filter(pk__in=chains).values_list("pk", "name")}
    return found


def _row(event: AuditEvent, names: Mapping[uuid.UUID, tuple[str, str]]) -> AuditRow:
    data = json.loads(event.data)
    return AuditRow(
        id=event.pk,
        at=event.at,
        kind=event.kind,
        actor=event.actor,
        reason=event.reason,
        sentence=audit_sentence(event.kind, data),
        run=event.run,
        chain=event.chain,
        seq=event.seq,
        data=data,
        about=_about(event, data, names),
    )


def _about(
    event: AuditEvent, data: Mapping[str, Any], names: Mapping[uuid.UUID, tuple[str, str]]
) -> tuple[str, str] | None:
    if event.run:
        return "run", str(event.run)
    if event.chain in names:
        return names[event.chain]
    if event.kind == "event.received":
        return "event", str(event.chain)
    if event.kind.startswith("batch."):
        return "batch", str(event.chain)
    if event.kind == "endpoint.changed":
        return "endpoint", str(data.get("name", ""))
    return ("entry", f"{data.get('namespace')}/{data.get('key')}") if event.kind.startswith("entry.") else None
