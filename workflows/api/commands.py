"""What people and programs do to runs and steps, each with a reason; the answer is the run as it is then."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import rest
from workflows import operations
from workflows.api.problems import responses
from workflows.api.runs import found
from workflows.command_serializers import Erased, FireBody, SkipBody
from workflows.serializers import ReasonBody, Run

PROBLEMS = (400, 404, 409, 410, 413, 415, 422)


class Command(ApiView):
    """One call of one operation."""

    def apply(
        self,
        request: Request,
        run_id: UUID,
        operation: Callable[..., None],
        body: type[serializers.Serializer[Any]] = ReasonBody,
    ) -> Response:
        """Call the operation with what the body says, and show the run."""
        operation(run_id, **rest.body(request, body), actor=actor(request))
        return Response(Run(found(run_id)).data)


def documented(
    operation_id: str, summary: str, description: str = "", body: type[serializers.Serializer[Any]] = ReasonBody
) -> Callable[[Any], Any]:
    """Describe a command to the schema."""
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description or None,
        tags=["runs"],
        request=body,
        responses=responses({200: Run}, *PROBLEMS),
    )


class Retries(Command):
    """Retries of a failed run."""

    needs: ClassVar = {"POST": Need("workflows.retry_run", "retry")}

    @documented("retry_run", "Retry a failed run from the failed step")
    def post(self, request: Request, run_id: UUID) -> Response:
        """Put the failed step back to work; what was done stays done."""
        return self.apply(request, run_id, operations.retry)


class Cancellation(Command):
    """The cancellation of a run."""

    needs: ClassVar = {"POST": Need("workflows.cancel_run", "cancel")}

    @documented("cancel_run", "Cancel a run and those that it started")
    def post(self, request: Request, run_id: UUID) -> Response:
        """Stop the run for good; what was done stays done."""
        return self.apply(request, run_id, operations.cancel)


class Suspension(Command):
    """The suspension of a run."""

    needs: ClassVar = {"POST": Need("workflows.suspend_run", "suspend")}

    @documented("suspend_run", "Suspend a run and those that it started")
    def post(self, request: Request, run_id: UUID) -> Response:
        """Begin nothing more; a step that is running finishes and is recorded, deadlines pause."""
        return self.apply(request, run_id, operations.suspend)


class Resumption(Command):
    """The resumption of a suspended run."""

    needs: ClassVar = {"POST": Need("workflows.suspend_run", "suspend")}

    @documented("resume_run", "Resume a suspended run")
    def post(self, request: Request, run_id: UUID) -> Response:
        """Go on where the run stands."""
        return self.apply(request, run_id, operations.resume)


class Resolution(Command):
    """The resolution of a failed run."""

    needs: ClassVar = {"POST": Need("workflows.retry_run", "retry")}

    @documented("resolve_run", "Mark a failed run as settled in another way")
    def post(self, request: Request, run_id: UUID) -> Response:
        """Take the run off the dead letters; it stays failed."""
        return self.apply(request, run_id, operations.resolve)


class Undo(Command):
    """The undo of a run."""

    needs: ClassVar = {"POST": Need("workflows.undo_run", "undo")}

    @documented("undo_run", "Undo what a run has done", "Its finished steps are compensated, the last one first.")
    def post(self, request: Request, run_id: UUID) -> Response:
        """End what is open, then undo what is recorded; the run ends as cancelled."""
        return self.apply(request, run_id, operations.undo)


class Erasure(ApiView):
    """The erasure of a run that is over."""

    needs: ClassVar = {"POST": Need("workflows.erase_run", "erase")}

    @extend_schema(
        operation_id="erase_run",
        summary="Erase a run and those that it started",
        description="Everything that was stored of them goes at once; the audit trail says that it did.",
        tags=["runs"],
        request=ReasonBody,
        responses=responses({200: Erased}, *PROBLEMS),
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """Delete what was stored; the reason is kept for good, so it names nobody."""
        runs = operations.erase(run_id, **rest.body(request, ReasonBody), actor=actor(request))
        return Response(Erased({"runs": runs}).data)


class Skips(Command):
    """Steps that were passed over."""

    needs: ClassVar = {"POST": Need("workflows.skip_step", "skip")}

    @documented("skip_step", "Pass a step over with an output given by hand", body=SkipBody)
    def post(self, request: Request, run_id: UUID) -> Response:
        """Let the workflow go on as if the step had given this output."""
        return self.apply(request, run_id, operations.skip, SkipBody)


class Firings(Command):
    """Waits that were ended early."""

    needs: ClassVar = {"POST": Need("workflows.fire_timer", "fire-timer")}

    @documented("fire_timer", "End a wait, a deadline or a back-off now", body=FireBody)
    def post(self, request: Request, run_id: UUID) -> Response:
        """Make the step due now."""
        return self.apply(request, run_id, operations.fire_timer, FireBody)
