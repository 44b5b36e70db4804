"""Events: send them, and see what came in."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import rest
from workflows import operations, queries
from workflows.api.cloudevents import BATCH, PLAIN, STRUCTURED, events_of
from workflows.api.pages import direction, page_of, paged
from workflows.api.problems import responses
from workflows.event_serializers import CloudEvent, Delivered, Event, EventRow, EventsQuery

READ = Need("workflows.view_event", "events:read")
DESCRIPTION = (
    "A CloudEvent 1.0 as `application/cloudevents+json` (or `application/json`), up to 100 of them as "
    "`application/cloudevents-batch+json`, or in binary mode: its attributes as `ce-` headers, its data as the body. "
    "One whose `subject` is the id of a run goes to that run, also when it does not listen yet; others go to all who "
    "listen for them now. The same `source` and `id` are taken once: **201** for a new event, **200** with "
    "`Idempotent-Replayed: true` for one that is known. A batch is checked as a whole; **200** comes with a list."
)
EXAMPLE = OpenApiExample(
    "an event",
    value={
        "specversion": "1.0",
        "id": "evt-4711",
        "source": "/shop",
        "type": "com.example.order.paid",
        "data": {"order": "ord_17", "amount": 99.5},
    },
    request_only=True,
)
HEADERS = [
    OpenApiParameter(f"ce-{name}", OpenApiTypes.STR, OpenApiParameter.HEADER, description="In binary mode.")
    for name in ("specversion", "id", "source", "type", "subject", "time")
]


class AsItCame(BaseParser):
    """Take any body: what it means depends on headers as well, so the view reads it."""

    media_type = "*/*"


class Events(ApiView):
    """All events, newest first."""

    needs: ClassVar = {"GET": READ, "POST": Need("workflows.send_event", "events:send")}
    parser_classes = (AsItCame,)

    @extend_schema(
        operation_id="list_events",
        summary="List events",
        tags=["events"],
        parameters=[EventsQuery],
        responses=responses({200: page_of(EventRow)}, 400),
    )
    def get(self, request: Request) -> Response:
        """List the events of a type, or for a run, a page at a time."""
        query = rest.query(request, EventsQuery)
        where = direction(query.get("cursor"))
        return paged(request, queries.inbox(query["type"], query["run"], **where, limit=query["limit"]), EventRow)

    @extend_schema(
        operation_id="send_event",
        summary="Send an event",
        description=DESCRIPTION,
        tags=["events"],
        parameters=HEADERS,
        request={STRUCTURED: CloudEvent, PLAIN: CloudEvent, BATCH: CloudEvent(many=True), "*/*": OpenApiTypes.BINARY},
        examples=[EXAMPLE],
        responses=responses({200: Delivered, 201: Delivered}, 400, 413, 415, 422),
    )
    def post(self, request: Request) -> Response:
        """Take the events and say what became of each."""
        events, batch = events_of(request)
        delivered = operations.deliver_events(events, actor=actor(request), via="api", batch=batch)
        if batch:
            return Response(Delivered(delivered, many=True).data)
        return _answer(delivered[0])


class EventView(ApiView):
    """One event."""

    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="get_event",
        summary="Get an event",
        tags=["events"],
        responses=responses({200: Event}, 404),
    )
    def get(self, _request: Request, event_id: UUID) -> Response:
        """Show the event with its envelope and the runs that it was handed to."""
        found = queries.event(event_id)
        if found is None:
            raise Http404(f"there is no event {event_id}")
        return Response(Event(found).data)


def _answer(delivered: operations.Delivered) -> Response:
    headers: dict[str, Any] = {"Location": reverse("api-event", args=[delivered.event_id])}
    if not delivered.created:
        headers["Idempotent-Replayed"] = "true"
    return Response(Delivered(delivered).data, status=201 if delivered.created else 200, headers=headers)
