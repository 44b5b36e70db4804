"""Schedules: read them, pause and resume them. They come and go with the versions of workflows."""

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import rest
from workflows import operations, queries
from workflows.api.problems import responses
from workflows.serializers import ReasonBody, Schedule, ScheduleRow

READ = Need("workflows.view_schedule", "read")
CHANGE = Need("workflows.change_schedule", "schedules:write")


class Schedules(ApiView):
    """All schedules."""

    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="list_schedules",
        summary="List schedules",
        tags=["schedules"],
        responses=responses({200: ScheduleRow(many=True)}),
    )
    def get(self, _request: Request) -> Response:
        """List the schedules by the name of their workflow."""
        return Response(ScheduleRow(queries.schedules(), many=True).data)


class ScheduleView(ApiView):
    """The schedule of one workflow."""

    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="get_schedule",
        summary="Get the schedule of a workflow",
        tags=["schedules"],
        responses=responses({200: Schedule}, 404),
    )
    def get(self, _request: Request, name: str) -> Response:
        """Show the schedule, its next moments and what it did last."""
        return _shown(name)


class Pause(ApiView):
    """The pause of a schedule."""

    needs: ClassVar = {"POST": CHANGE}

    @extend_schema(
        operation_id="pause_schedule",
        summary="Pause a schedule",
        tags=["schedules"],
        request=ReasonBody,
        responses=responses({200: Schedule}, 400, 404, 409, 413, 415, 422),
    )
    def post(self, request: Request, name: str) -> Response:
        """Start nothing by the schedule until it is resumed; runs that are under way go on."""
        return _apply(request, name, operations.pause_schedule)


class Resumption(ApiView):
    """The resumption of a schedule."""

    needs: ClassVar = {"POST": CHANGE}

    @extend_schema(
        operation_id="resume_schedule",
        summary="Resume a paused schedule",
        tags=["schedules"],
        request=ReasonBody,
        responses=responses({200: Schedule}, 400, 404, 409, 413, 415, 422),
    )
    def post(self, request: Request, name: str) -> Response:
        """Go on with the next moment from now; what passed meanwhile is left out."""
        return _apply(request, name, operations.resume_schedule)


def _apply(request: Request, name: str, operation: Callable[..., None]) -> Response:
    reason: Any = rest.body(request, ReasonBody)["reason"]
    operation(name, actor=actor(request), reason=reason)
    return _shown(name)


def _shown(name: str) -> Response:
    found = queries.schedule(name)
    if found is None:
        raise operations.UnknownSchedule(name)
    return Response(Schedule(found).data)
