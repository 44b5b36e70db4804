"""Notifications: read what was told, send again what did not arrive, mute."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import rest
from workflows import operations, queries
from workflows.api.pages import direction, page_of, paged
from workflows.api.problems import responses
from workflows.notification_serializers import Mute, MuteBody, Notification, NotificationsQuery
from workflows.serializers import ReasonBody

READ = Need("workflows.view_notification", "notifications:read")
WRITE = Need("workflows.mute_notification", "notifications:write")


class Notifications(ApiView):
    """All notifications."""

    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="list_notifications",
        summary="List notifications",
        tags=["notifications"],
        parameters=[NotificationsQuery],
        responses=responses({200: page_of(Notification)}, 400),
    )
    def get(self, request: Request) -> Response:
        """List the messages, newest first."""
        query = rest.query(request, NotificationsQuery)
        page = queries.notifications(query["state"], **direction(query.get("cursor")), limit=query["limit"])
        return paged(request, page, Notification)


class Retries(ApiView):
    """Second deliveries of a notification."""

    needs: ClassVar = {"POST": WRITE}

    @extend_schema(
        operation_id="retry_notification",
        summary="Send a notification again that did not arrive",
        tags=["notifications"],
        request=ReasonBody,
        responses=responses({200: Notification}, 400, 404, 409, 413, 415, 422),
    )
    def post(self, request: Request, notification_id: UUID) -> Response:
        """Begin with all attempts anew, under the same id."""
        reason = rest.body(request, ReasonBody)["reason"]
        operations.resend(notification_id, actor=actor(request), reason=reason)
        return Response(Notification(queries.notification(notification_id)).data)


class Mutes(ApiView):
    """What is muted now."""

    needs: ClassVar = {"GET": READ, "POST": WRITE}

    @extend_schema(
        operation_id="list_mutes",
        summary="List what is muted",
        tags=["notifications"],
        responses=responses({200: Mute(many=True)}),
    )
    def get(self, _request: Request) -> Response:
        """List what is muted, that which ends first at the top."""
        return Response(Mute(queries.mutes(), many=True).data)

    @extend_schema(
        operation_id="mute",
        summary="Mute a rule, a definition or a run",
        description="Nobody is told of it until then. A mute that is there is replaced.",
        tags=["notifications"],
        request=MuteBody,
        responses=responses({201: Mute}, 400, 404, 409, 413, 415, 422),
    )
    def post(self, request: Request) -> Response:
        """Mute until a moment."""
        body, by = rest.body(request, MuteBody), actor(request)
        found = operations.mute(**body, actor=by)
        over = queries.MuteRow(id=found, by=by, **body)  # it may have ended by now, or somebody has ended it
        return Response(Mute(next((row for row in queries.mutes() if row.id == found), over)).data, status=201)


class MuteEnd(ApiView):
    """The end of a mute."""

    needs: ClassVar = {"POST": WRITE}

    @extend_schema(
        operation_id="end_mute",
        summary="End a mute",
        tags=["notifications"],
        request=ReasonBody,
        responses=responses({200: Mute(many=True)}, 400, 404, 413, 415, 422),
    )
    def post(self, request: Request, mute_id: UUID) -> Response:
        """End the mute, and list those that are left."""
        operations.unmute(mute_id, actor=actor(request), reason=rest.body(request, ReasonBody)["reason"])
        return Response(Mute(queries.mutes(), many=True).data)
