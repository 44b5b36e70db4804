"""The inbox: which events came in, and what became of each."""

import uuid
from typing import Any

from django.db.models import Q, QuerySet

from dotdo_site.lib.paging import decode, encode
from workflows.models import Event, Message
from workflows.queries.rows import EventDetail, EventRow, Page


def inbox(
    kind: str = "",
    run: uuid.UUID | None = None,
    *,
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Page[EventRow]:
    """Return one page of the events of a type, or for a run, the newest first. Raises BadCursor."""
    rows = Event.objects.defer("envelope")
    if kind:
        rows = rows.filter(type=kind)
    if run is not None:
        rows = rows.filter(Q(run=run) | Q(pk__in=Message.objects.filter(run=run).values("event")))
    return _page(rows, after, before, limit)


def event(event_id: uuid.UUID) -> EventDetail | None:
    """Return an event with its envelope and the runs that it was handed to, or None."""
    found = Event.objects.filter(pk=event_id).first()
    if found is None:
        return None
    runs = Message.objects.filter(event=found).order_by("run").values_list("run", flat=True).distinct()
    return EventDetail(**_facts(found), envelope=found.envelope, runs=list(runs))


def _page(rows: "QuerySet[Event]", after: str | None, before: str | None, limit: int) -> Page[EventRow]:
    if before:
        found = list(rows.filter(pk__gt=decode(before, uuid.UUID)[0]).order_by("pk")[: limit + 1])
        more, found = len(found) > limit, found[:limit][::-1]
        return Page(_rows(found), _cursor(found, -1), _cursor(found, 0) if more else None)
    if after:
        rows = rows.filter(pk__lt=decode(after, uuid.UUID)[0])
    found = list(rows.order_by("-pk")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(_rows(found), _cursor(found, -1) if more else None, _cursor(found, 0) if after else None)


def _rows(found: list[Event]) -> list[EventRow]:
    return [EventRow(**_facts(each)) for each in found]


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


def _cursor(found: list[Event], index: int) -> str | None:
    return encode(found[index].pk) if found else None
