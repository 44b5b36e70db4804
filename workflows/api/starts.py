"""Starting actions and workflows, each time with at most one run per Idempotency-Key."""

import threading
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import rest
from workflows import operations, queries, start_serializers
from workflows.api.problems import responses
from workflows.serializers import Run, StartBody, StartQuery

# Requests that wait hold a thread of the web server: the rest of them stays free for others.
WAITING_AT_ONCE = 4
_waiting = threading.BoundedSemaphore(WAITING_AT_ONCE)

PARAMETERS: list[OpenApiParameter | type[StartQuery]] = [
    OpenApiParameter(
        "Idempotency-Key",
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        description="1 to 255 visible ASCII characters. The same key and body return the same run.",
    ),
    StartQuery,
]
DESCRIPTION = (
    "Answers **201** with the new run and its `Location`, or **200** with `Idempotent-Replayed: true` and the run that "
    "the same Idempotency-Key made before; **422** when that run was started with another body. With `wait` the answer "
    "comes when the run has ended or failed, or the time is over, or too many requests wait already: look at `state`."
)
EXAMPLE = OpenApiExample(
    "start",
    value={"input": {"email": "ada@example.com"}, "title": "usr_12345", "tags": ["onboarding"]},
    request_only=True,
)


class StartView(ApiView):
    """Start one run and answer with it."""

    def start(self, request: Request, name: str, operation: Callable[..., operations.Started]) -> Response:
        """Call the operation once, wait if asked to, and show the run."""
        body = start_serializers.read_one(request)
        wait = rest.query(request, StartQuery)["wait"]
        started = operation(
            name,
            body["input"],
            actor=actor(request),
            trigger="api",
            version=body.get("version"),
            key=request.META.get("HTTP_IDEMPOTENCY_KEY"),
            title=body["title"],
            tags=tuple(body["tags"]),
        )
        wait_for(started.run_id, wait)
        return Response(
            rest.represent(Run, _answer(started, body["input"], wait)),
            status=201 if started.created else 200,
            headers=_headers(started),
        )


class ActionRuns(StartView):
    """The runs of one action."""

    needs: ClassVar = {"POST": Need("workflows.start_run", "start:action:{name}")}

    @extend_schema(
        operation_id="start_action",
        summary="Start an action",
        description=DESCRIPTION,
        tags=["runs"],
        request=StartBody,
        parameters=PARAMETERS,
        examples=[EXAMPLE],
        responses=responses({200: Run, 201: Run}, 400, 404, 413, 415, 422),
    )
    def post(self, request: Request, name: str) -> Response:
        """Start the action."""
        return self.start(request, name, operations.start_action)


class WorkflowRuns(StartView):
    """The runs of one workflow."""

    needs: ClassVar = {"POST": Need("workflows.start_run", "start:workflow:{name}")}

    @extend_schema(
        operation_id="start_workflow",
        summary="Start a workflow",
        description=DESCRIPTION,
        tags=["runs"],
        request=StartBody,
        parameters=PARAMETERS,
        examples=[EXAMPLE],
        responses=responses({200: Run, 201: Run}, 400, 404, 413, 415, 422),
    )
    def post(self, request: Request, name: str) -> Response:
        """Start the workflow."""
        return self.start(request, name, operations.start_workflow)


def wait_for(run_id: UUID, seconds: float) -> None:
    """Wait until the run has ended, for at most `seconds`; not at all when too many requests wait already."""
    if seconds > 0 and _waiting.acquire(blocking=False):
        try:
            operations.wait_for(run_id, seconds)
        finally:
            _waiting.release()


def _answer(started: operations.Started, value: Any, wait: float) -> queries.BegunRun | queries.RunDetail | None:
    """Return the run; one that was made just now, and not waited for, is what was recorded."""
    if started.begun is None or wait:
        return queries.run(started.run_id)
    return queries.just_begun(*started.begun(), value)


def _headers(started: operations.Started) -> dict[str, Any]:
    headers = {"Location": reverse("api-run", args=[started.run_id])}
    return headers if started.created else headers | {"Idempotent-Replayed": "true"}
