"""How long the runs of a workflow or an action are kept."""

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import rest
from workflows import operations
from workflows.api.problems import responses
from workflows.serializers import ReasonBody


class KeepBody(ReasonBody):
    """For how long, and why."""

    keep_days = serializers.IntegerField(allow_null=True, help_text="Days after the end; null: as the setting says.")


class Kept(serializers.Serializer[Any]):
    """For how long."""

    keep_days = serializers.IntegerField(allow_null=True)


class Retention(ApiView):
    """The time for which the runs of a definition are kept."""

    needs: ClassVar = {"PUT": Need("workflows.erase_run", "erase")}
    kind = ""

    def keep(self, request: Request, name: str) -> Response:
        """Change it, and answer with what it is now."""
        body = rest.body(request, KeepBody)
        operations.keep_runs(self.kind, name, body["keep_days"], actor=actor(request), reason=body["reason"])
        return Response(Kept({"keep_days": body["keep_days"]}).data)


def _documented(kind: str) -> Callable[[Any], Any]:
    return extend_schema(
        operation_id=f"keep_{kind}_runs",
        summary=f"Say how long the runs of {'an action' if kind == 'action' else 'a workflow'} are kept",
        tags=[f"{kind}s"],
        request=KeepBody,
        responses=responses({200: Kept}, 400, 404, 413, 415, 422),
    )


class WorkflowRetention(Retention):
    """Of a workflow."""

    kind = "workflow"

    @_documented("workflow")
    def put(self, request: Request, name: str) -> Response:
        """Count from the end of each run."""
        return self.keep(request, name)


class ActionRetention(Retention):
    """Of an action."""

    kind = "action"

    @_documented("action")
    def put(self, request: Request, name: str) -> Response:
        """Count from the end of each run that was started for the action alone."""
        return self.keep(request, name)
