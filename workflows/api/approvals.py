"""Approvals: what waits for the caller, and the answers."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import rest
from workflows import operations, queries
from workflows.api.pages import direction, page_of, paged
from workflows.api.problems import responses
from workflows.approvals import person_of
from workflows.command_serializers import Answer, AnswerBody, Approval
from workflows.serializers import PageQuery

NEED = Need("workflows.answer_approval", "answer")
EXAMPLE = OpenApiExample(
    "approve",
    value={"step": "/do/0/ask", "decision": "approved", "data": {"limit": 500}, "reason": "a customer for ten years"},
    request_only=True,
)


class Approvals(ApiView):
    """All open approvals of the caller."""

    needs: ClassVar = {"GET": NEED}

    @extend_schema(
        operation_id="list_approvals",
        summary="List the open approvals that the caller may answer",
        tags=["approvals"],
        parameters=[PageQuery],
        responses=responses({200: page_of(Approval)}, 400),
    )
    def get(self, request: Request) -> Response:
        """List those of the caller, or of the owner of the key; the one that waits longest comes first."""
        query = rest.query(request, PageQuery)
        where = direction(query.get("cursor"))
        return paged(request, queries.open_approvals(person_of(request.user), **where, limit=query["limit"]), Approval)


class Answers(ApiView):
    """The answers of an approval."""

    needs: ClassVar = {"POST": NEED}

    @extend_schema(
        operation_id="answer_approval",
        summary="Answer an approval",
        description="The first answer counts, later ones get **409**; so does who is not asked. `data` fits the form.",
        tags=["approvals"],
        request=AnswerBody,
        examples=[EXAMPLE],
        responses=responses({200: Answer}, 400, 404, 409, 413, 415, 422),
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """Hand the answer to the step that asks."""
        body, person = rest.body(request, AnswerBody), person_of(request.user)
        operations.answer_approval(
            run_id,
            body["step"],
            body["decision"],
            body.get("data"),
            person=person,
            actor=actor(request),
            reason=body["reason"],
        )
        return Response(Answer({**body, "run": run_id, "by": person.name}).data)
