"""Starting many runs of one action or workflow with one request: all of them, or none."""

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib.problems import flatten
from workflows import operations
from workflows.api.problems import RunsRefused, refusals_at, responses
from workflows.start_serializers import MOST, Item, StartedRuns, StartsBody, read

DESCRIPTION = (
    f"Up to {MOST:,} runs, each with what a single start takes, and a `key` in place of the header. Answers **200** "
    "with the id of each, in the order of the request; `created` is false where the key was used before with the same "
    "body, also by an earlier one of the same request. When anything is wrong with one of them, none is started: "
    "**422** lists all that is wrong, with pointers such as `/runs/3/input/email`."
)
EXAMPLE = OpenApiExample(
    "two runs",
    value={
        "runs": [
            {"input": {"email": "ada@example.com"}, "key": "usr_1"},
            {"input": {"email": "alan@example.com"}, "key": "usr_2", "tags": ["import"]},
        ]
    },
    request_only=True,
)


class StartBatchView(ApiView):
    """Start many runs of one definition."""

    kind: ClassVar[str]

    def start(self, request: Request, name: str) -> Response:
        """Check all, call the operation once, and say what each came to."""
        good, wrong = read(request.data)
        starts = {number: self._start(name, item) for number, item in good.items()}
        if wrong:
            errors = [error for number, detail in wrong.items() for error in flatten(detail, f"/runs/{number}")]
            raise RunsRefused(errors + refusals_at(operations.check_many(starts)))
        started = operations.start_many(list(starts.values()), actor=actor(request), trigger="api")
        return Response({"runs": [{"id": str(each.run_id), "created": each.created} for each in started]})

    def _start(self, name: str, item: Item) -> operations.Start:
        version, key = item.get("version"), item.get("key")
        return operations.Start(self.kind, name, item["input"], version, key, item["title"], item["tags"])


def documented(operation_id: str, summary: str) -> Callable[[Any], Any]:
    """Describe a batch of starts to the schema."""
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=DESCRIPTION,
        tags=["runs"],
        request=StartsBody,
        examples=[EXAMPLE],
        responses=responses({200: StartedRuns}, 400, 404, 413, 415, 422),
    )


class ActionRunBatch(StartBatchView):
    """Many runs of one action."""

    kind = "action"
    needs: ClassVar = {"POST": Need("workflows.start_run", "start:action:{name}")}

    @documented("start_action_batch", "Start an action many times")
    def post(self, request: Request, name: str) -> Response:
        """Start the action for each item."""
        return self.start(request, name)


class WorkflowRunBatch(StartBatchView):
    """Many runs of one workflow."""

    kind = "workflow"
    needs: ClassVar = {"POST": Need("workflows.start_run", "start:workflow:{name}")}

    @documented("start_workflow_batch", "Start a workflow many times")
    def post(self, request: Request, name: str) -> Response:
        """Start the workflow for each item."""
        return self.start(request, name)
