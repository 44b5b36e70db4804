"""Actions and workflows: read, save drafts, publish versions."""

import re
from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from actions import publishing
from actions.models import SEMVER, ActionVersion
from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import rest
from workflows import operations, queries
from workflows.api.problems import responses
from workflows.models import WorkflowVersion
from workflows.operations.lookup import near
from workflows.serializers import (
    Action,
    ActionDraft,
    ActionRow,
    PublicationBody,
    Version,
    Workflow,
    WorkflowCheck,
    WorkflowDraft,
    WorkflowRow,
)

READ_ACTION, READ_WORKFLOW = Need("actions.view_action", "read"), Need("workflows.view_workflow", "read")
ACTION_EXAMPLE = OpenApiExample(
    "an HTTP action",
    value={
        "name": "charge-card",
        "kind": "http",
        "config": {"method": "POST", "url": "https://payments.example.com/charges"},
        "input_schema": {"customer": "string", "amount": "number"},
    },
    request_only=True,
)
WORKFLOW_EXAMPLE = OpenApiExample(
    "a workflow of one step",
    value={
        "source": "document: {dsl: 1.0.3, namespace: default, name: welcome, version: 1.0.0}\n"
        "do:\n- mail: {call: send-welcome-email, with: {email: '${ .email }'}}\n"
    },
    request_only=True,
)


class Actions(ApiView):
    """All actions."""

    needs: ClassVar = {"GET": READ_ACTION, "POST": Need("actions.change_action", "definitions:write")}

    @extend_schema(
        operation_id="list_actions",
        summary="List actions",
        tags=["actions"],
        responses=responses({200: ActionRow(many=True)}),
    )
    def get(self, _request: Request) -> Response:
        """List the actions by name."""
        return Response(ActionRow(queries.actions(), many=True).data)

    @extend_schema(
        operation_id="create_action",
        summary="Save a draft of an action",
        description="For the kinds `http` and `email`; Python actions come with the code. Schemas may be JSON Schema "
        'or the shorthand `{"email": "string"}`. A draft is not used before it is published.',
        tags=["actions"],
        request=ActionDraft,
        examples=[ACTION_EXAMPLE],
        responses=responses({201: Version}, 400, 413, 415, 422),
    )
    def post(self, request: Request) -> Response:
        """Save the draft."""
        draft = publishing.create_draft(**rest.body(request, ActionDraft), actor=actor(request))
        return _created(draft, "api-action", draft.action.name)


class ActionView(ApiView):
    """One action."""

    needs: ClassVar = {"GET": READ_ACTION}

    @extend_schema(
        operation_id="get_action",
        summary="Get an action with its versions",
        tags=["actions"],
        responses=responses({200: Action}, 404),
    )
    def get(self, _request: Request, name: str) -> Response:
        """Show the action, its schemas and versions."""
        found = queries.action(name)
        if found is None:
            raise operations.UnknownDefinition("action", name, near("action", name))
        return Response(Action(found).data)


class ActionPublication(ApiView):
    """The publication of one version of an action."""

    needs: ClassVar = {"POST": Need("actions.publish_action", "definitions:publish")}

    @extend_schema(
        operation_id="publish_action_version",
        summary="Publish a version of an action",
        description="Checks everything and makes the version immutable; new runs use it from then on.",
        tags=["actions"],
        request=PublicationBody,
        responses=responses({200: Version}, 400, 404, 413, 415, 422),
    )
    def post(self, request: Request, name: str, version: str) -> Response:
        """Publish the draft."""
        reason = rest.body(request, PublicationBody)["reason"]
        draft = _named(ActionVersion, "action", name, version)
        return Response(Version(publishing.publish(draft, actor=actor(request), reason=reason)).data)


class Workflows(ApiView):
    """All workflows."""

    needs: ClassVar = {"GET": READ_WORKFLOW, "POST": Need("workflows.change_workflow", "definitions:write")}

    @extend_schema(
        operation_id="list_workflows",
        summary="List workflows",
        tags=["workflows"],
        responses=responses({200: WorkflowRow(many=True)}),
    )
    def get(self, _request: Request) -> Response:
        """List the workflows by name."""
        return Response(WorkflowRow(queries.workflows(), many=True).data)

    @extend_schema(
        operation_id="create_workflow",
        summary="Save a draft of a workflow",
        description="`source` is the document as YAML or JSON text. **422** lists every problem with its pointer.",
        tags=["workflows"],
        request=WorkflowDraft,
        examples=[WORKFLOW_EXAMPLE],
        responses=responses({201: Version}, 400, 413, 415, 422),
    )
    def post(self, request: Request) -> Response:
        """Check the document and save it as a draft."""
        draft = operations.draft_workflow(rest.body(request, WorkflowDraft)["source"], actor=actor(request))
        return _created(draft, "api-workflow", draft.workflow.name)


class WorkflowValidation(ApiView):
    """The check of a document, without saving it."""

    needs: ClassVar = {"POST": Need("workflows.change_workflow", "definitions:write")}

    @extend_schema(
        operation_id="validate_workflow",
        summary="Check a workflow document",
        description="`source` is the document as YAML or JSON text. All problems come at once, each with its pointer.",
        tags=["workflows"],
        request=WorkflowDraft,
        examples=[WORKFLOW_EXAMPLE],
        responses=responses({200: WorkflowCheck}, 400, 413, 415, 422),
    )
    def post(self, request: Request) -> Response:
        """Check the document."""
        _, problems = operations.examine_workflow(rest.body(request, WorkflowDraft)["source"])
        return Response(WorkflowCheck({"valid": not problems, "problems": problems}).data)


class WorkflowView(ApiView):
    """One workflow."""

    needs: ClassVar = {"GET": READ_WORKFLOW}

    @extend_schema(
        operation_id="get_workflow",
        summary="Get a workflow with its versions",
        tags=["workflows"],
        responses=responses({200: Workflow}, 404),
    )
    def get(self, _request: Request, name: str) -> Response:
        """Show the workflow, its document, input schema and versions."""
        found = queries.workflow(name)
        if found is None:
            raise operations.UnknownDefinition("workflow", name, near("workflow", name))
        return Response(Workflow(found).data)


class WorkflowPublication(ApiView):
    """The publication of one version of a workflow."""

    needs: ClassVar = {"POST": Need("workflows.publish_workflow", "definitions:publish")}

    @extend_schema(
        operation_id="publish_workflow_version",
        summary="Publish a version of a workflow",
        description="Locks the actions to their published versions and makes the version immutable.",
        tags=["workflows"],
        request=None,
        responses=responses({200: Version}, 400, 404, 422),
    )
    def post(self, request: Request, name: str, version: str) -> Response:
        """Publish the draft."""
        draft = _named(WorkflowVersion, "workflow", name, version)
        return Response(Version(operations.publish_workflow(draft.id, actor=actor(request))).data)


def _created(draft: Any, view: str, name: str) -> Response:
    return Response(Version(draft).data, status=201, headers={"Location": reverse(view, args=[name])})


def _named(model: Any, kind: str, name: str, version: str) -> Any:
    """Return a version, draft or not. Raises Http404, also for what no version can be called."""
    rows = model.objects.filter(**{f"{kind}__name": name, "version": version})
    found = rows.first() if re.fullmatch(SEMVER, version) else None
    if found is None:
        raise Http404(f"There is no version {version} of the {kind} {name}.")
    return found
