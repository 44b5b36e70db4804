"""The inbox: which events came in, and what became of each; and the deliveries at the endpoints."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from actions.sensitive import mask
from workflows.models import Delivery, Endpoint, Event, Message, Schedule, ScheduleFire
from workflows.queries import keyset
from workflows.queries.keyset import Looked
from workflows.queries.labels import label
from workflows.queries.rows import EventDetail, EventRow, Page

MOST_TAKEN = 100
SKEW = timedelta(hours=1)  # an id has the time of the process that made it, a row that of the database
VIAS = ("api", "webhook", "endpoint", "emit", "person")
OUTCOMES = ("accepted", "replayed", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events; an empty field filters nothing. `untaken`: those that no run has."""

    type: str = ""
    source: str = ""
    via: str = ""
    run: uuid.UUID | None = None
    untaken: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenRow:
    """A run that an event was handed to. `how`: started, taken (by the step `step`), waiting or looked_at."""

    run: uuid.UUID
    name: str
    title: str
    label: str
    step: str
    how: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A request at an endpoint and what became of it."""

    id: uuid.UUID
    endpoint: str
    message_id: str
    outcome: str
    status: int
    reason: str
    bytes: int
    run: uuid.UUID | None
    event: uuid.UUID | None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDetail(DeliveryRow):
    """A delivery with its endpoint: how it believes, and what it does with what it believes."""

    style: str
    effect: str
    leads_to: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCourse:
    """What became of an event: the runs that have it, the schedules that started them or wait for more of its kind,
    and the delivery that it came by.
    """

    taken: list[TakenRow]
    more: bool
    schedules: list[str]
    collected_by: list[str]
    delivery: uuid.UUID | None
    endpoint: str


def inbox(
    kind: str = "",
    run: uuid.UUID | None = None,
    *,
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Page[EventRow]:
    """Return one page of the events of a type, or for a run, the newest first. Raises BadCursor."""
    return events_by(EventFilter(type=kind, run=run), after=after, before=before, limit=limit)


def events_by(
    chosen: EventFilter, *, after: str | None = None, before: str | None = None, limit: int = 50
) -> Looked[EventRow]:
    """Return one page of the events that fit, the newest first. Raises BadCursor."""
    rows, among = _chosen(chosen)
    found = keyset.newest_first(rows, uuid.UUID, after=after, before=before, limit=limit, among=among)
    return found.page([EventRow(**_facts(each)) for each in found.rows])


def events_newer(chosen: EventFilter, top: uuid.UUID) -> int:
    """Return how many events that fit are newer than this one, at most 1,000."""
    rows, among = _chosen(chosen)
    return keyset.newer(rows, top, among)


def event(event_id: uuid.UUID) -> EventDetail | None:
    """Return an event with its envelope, masked, and the runs that it was handed to, or None."""
    found = Event.objects.filter(pk=event_id).first()
    if found is None:
        return None
    runs = Message.objects.filter(event=found).order_by("run").values_list("run", flat=True).distinct()
    return EventDetail(**_facts(found), envelope=mask({}, found.envelope), runs=list(runs))


def course(event_id: uuid.UUID) -> EventCourse:
    """Return what became of an event."""
    rows = Message.objects.filter(event=event_id).select_related("run", "step").order_by("id")[: MOST_TAKEN + 1]
    found = list(rows)
    starts = [row.run_id for row in found if row.step is not None and row.step.kind == "start"]
    fires = ScheduleFire.objects.filter(run__in=starts).values_list("schedule__workflow__name", flat=True)
    came = Delivery.objects.filter(event=event_id, outcome="accepted").select_related("endpoint").first()
    collecting = Schedule.objects.filter(kind="on").exclude(pending={}).select_related("workflow")
    return EventCourse(
        taken=[_taken(row) for row in found[:MOST_TAKEN]],
        more=len(found) > MOST_TAKEN,
        schedules=sorted(set(fires)),
        collected_by=[row.workflow.name for row in collecting if _collected(row, event_id)],
        delivery=came.pk if came else None,
        endpoint=came.endpoint.name if came else "",
    )


def deliveries(
    *,
    endpoint: str = "",
    outcome: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Looked[DeliveryRow]:
    """Return one page of the deliveries, the newest first. Raises BadCursor."""
    rows = _within(Delivery.objects.select_related("endpoint"), since, until)
    rows = rows.filter(endpoint__name=endpoint) if endpoint else rows
    among = Q(outcome=outcome) if outcome else None
    found = keyset.newest_first(rows, uuid.UUID, after=after, before=before, limit=limit, among=among)
    return found.page([DeliveryRow(**_delivery(each)) for each in found.rows])


def delivery(delivery_id: uuid.UUID) -> DeliveryDetail | None:
    """Return a delivery with its endpoint, or None."""
    found = Delivery.objects.select_related("endpoint__workflow").filter(pk=delivery_id).first()
    if found is None:
        return None
    door = found.endpoint
    leads_to = door.workflow.name if door.workflow else door.event_type
    return DeliveryDetail(
        **_delivery(found), style=door.style, effect=door.effect, leads_to=leads_to, enabled=door.enabled
    )


def endpoints() -> list[str]:
    """Return the names of the endpoints."""
    return list(Endpoint.objects.order_by("name").values_list("name", flat=True))


def _chosen(chosen: EventFilter) -> "tuple[QuerySet[Event], Q | None]":
    """Return what indexes narrow, and what none does."""
    rows = _within(Event.objects.defer("envelope"), chosen.since, chosen.until)
    if chosen.type:
        rows = rows.filter(type=chosen.type)
    if chosen.run:
        addressed = Event.objects.filter(run=chosen.run).order_by().values("pk")
        rows = rows.filter(pk__in=addressed.union(Message.objects.filter(run=chosen.run).order_by().values("event")))
    among = {name: getattr(chosen, name) for name in ("source", "via") if getattr(chosen, name)}
    rest = Q(**among)
    if chosen.untaken:
        rest &= ~Q(Exists(Message.objects.filter(event=OuterRef("pk"))))
    return rows, rest or None


def _within(rows: "QuerySet[Any]", since: datetime | None, until: datetime | None) -> "QuerySet[Any]":
    """Keep the rows of a time by their ids, which grow with it."""
    if since:
        rows = rows.filter(pk__gte=_first_id(since - SKEW), received_at__gte=since)
    return rows.filter(pk__lt=_first_id(until + SKEW), received_at__lt=until) if until else rows


def _first_id(at: datetime) -> uuid.UUID:
    return uuid.UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def _taken(row: Message) -> TakenRow:
    return TakenRow(
        run=row.run_id,
        name=row.run.name,
        title=row.run.title,
        label=label(row.run.state, row.run.reason, row.run.resolved_at),
        step=row.step.name if row.step is not None and row.step.kind != "start" else "",
        how=_how(row),
        at=row.created_at,
    )


def _how(row: Message) -> str:
    if row.step is not None and row.step.kind == "start":
        return "started"
    return "waiting" if row.consumed_at is None else "taken"


def _collected(row: Schedule, event_id: uuid.UUID) -> bool:
    return any(str(event_id) in map(str, numbers) for _, _, *numbers in row.pending.get("items", []))


def _facts(found: Event) -> dict[str, Any]:
    return {
        "id": found.pk,
        "source": found.source,
        "event_id": found.event_id,
        "type": found.type,
        "subject": found.subject,
        "run_id": found.run_id,
        "via": found.via,
        "received_at": found.received_at,
    }


def _delivery(found: Delivery) -> dict[str, Any]:
    return {
        "id": found.pk,
        "endpoint": found.endpoint.name,
        "message_id": found.message_id,
        "outcome": found.outcome,
        "status": found.status,
        "reason": found.reason,
        "bytes": found.bytes,
        "run": found.run_id,
        "event": found.event_id,
        "received_at": found.received_at,
    }
