"""Runs: list, detail, steps with attempts and logs, audit."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dotdo_site.access.api import ApiView, Need
from dotdo_site.lib import rest
from workflows import operations, queries
from workflows.api.pages import direction, page_of, paged
from workflows.api.problems import responses
from workflows.serializers import AuditEvent, PageQuery, Run, RunRow, RunsQuery, Step, StepDetail

READ = Need("workflows.view_run", "read")


class Runs(ApiView):
    """All runs, newest first."""

    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="list_runs",
        summary="List runs",
        tags=["runs"],
        parameters=[RunsQuery],
        responses=responses({200: page_of(RunRow)}, 400),
    )
    def get(self, request: Request) -> Response:
        """List the runs that fit, a page at a time."""
        query = rest.query(request, RunsQuery)
        cursor, limit = query.pop("cursor", None), query.pop("limit")
        chosen = queries.RunFilter(label=query.pop("status"), **query)
        return paged(request, queries.runs(chosen, **direction(cursor), limit=limit), RunRow)


class RunView(ApiView):
    """One run."""

    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="get_run", summary="Get a run", tags=["runs"], responses=responses({200: Run}, 404, 410)
    )
    def get(self, _request: Request, run_id: UUID) -> Response:
        """Show the run with its input, output and error."""
        return Response(Run(found(run_id)).data)


class Steps(ApiView):
    """The steps of a run."""

    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="list_steps",
        summary="List steps",
        tags=["runs"],
        parameters=[PageQuery],
        responses=responses({200: page_of(Step)}, 400, 404, 410),
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """List the steps in the order in which they began, a page at a time."""
        return _part(request, run_id, queries.steps, Step)


class StepOfRun(ApiView):
    """One step of a run."""

    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="get_step",
        summary="Get a step with its attempts and logs",
        tags=["runs"],
        responses=responses({200: StepDetail}, 404, 410),
    )
    def get(self, _request: Request, run_id: UUID, step_id: UUID) -> Response:
        """Show the step, every attempt at it, and what its handler logged."""
        step = queries.step(run_id, step_id)
        if step is None:
            found(run_id)
            raise Http404(f"there is no step {step_id} in run {run_id}")
        return Response(StepDetail(step).data)


class Audit(ApiView):
    """The audit trail of a run."""

    needs: ClassVar = {"GET": Need("audit.view_auditevent", "audit:read")}

    @extend_schema(
        operation_id="list_audit_events",
        summary="List the audit trail of a run",
        tags=["audit"],
        parameters=[PageQuery],
        responses=responses({200: page_of(AuditEvent)}, 400, 404),
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """List what happened, oldest first, a page at a time."""
        return _part(request, run_id, queries.events, AuditEvent)


def _part(
    request: Request, run_id: UUID, find: Callable[..., Any], serializer: type[serializers.Serializer[Any]]
) -> Response:
    query = rest.query(request, PageQuery)
    page = find(run_id, **direction(query.get("cursor")), limit=query["limit"])
    if page is None:
        raise operations.missing(run_id)
    return paged(request, page, serializer)


def found(run_id: UUID) -> queries.RunDetail:
    """Return the run. Raises UnknownRun."""
    run = queries.run(run_id)
    if run is None:
        raise operations.missing(run_id)
    return run
