"""`run`: another workflow as a child of the step. Also what `map` needs to start children and to read how they ended.

A child that ends, or is parked, wakes the step, which then looks at its children. A parked child that a person repairs
goes on: the step that failed with it becomes ready again and only looks once more.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actions.errors import ActionError
from workflows import payloads
from workflows.engine.faults import STATUS, TYPES
from workflows.functions.rest import Rest
from workflows.job import Job
from workflows.language.functions import LATEST, workflow_key
from workflows.models import Run
from workflows.operations.errors import InputInvalid, OperationError
from workflows.operations.lookup import Definition, find
from workflows.operations.new_runs import Origin
from workflows.operations.start import start_child

Error = dict[str, Any]
CANCELLED: Error = {
    "type": f"{TYPES}runtime",
    "status": STATUS["runtime"],
    "title": "cancelled",
    "detail": "The run was cancelled.",
}


class ItemInvalid(ActionError):
    """The input of a child does not fit the schema of its workflow; no run was started."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The step that starts children, with its place among runs and the workflow that they run."""

    step: uuid.UUID
    run: uuid.UUID
    root: uuid.UUID
    depth: int
    definition: Definition

    def start(self, value: Any, index: int = 0, what: str = "the input") -> None:
        """Start a child, in the transaction that holds the step. Raises ItemInvalid, ActionError."""
        origin = Origin(step=self.step, index=index, root=self.root, depth=self.depth + 1)
        try:
            start_child(self.definition, value, origin=origin, actor=f"run:{self.run}")
        except InputInvalid as error:
            problems = "; ".join(map(str, error.problems[:5]))
            message = f"{what} does not fit {self.definition.name}: {problems}"
            raise ItemInvalid("invalid_input", message, retryable=False) from None
        except OperationError as error:
            raise ActionError("not_started", error.message, retryable=False) from None


def run(job: Job) -> Any:
    """Start another workflow, once; without `wait` go on at once, otherwise return its output.

    Raises ActionError with the child's error.
    """
    asked = job.input
    child = Run.objects.filter(parent_step=job.held.step, parent_index=0).first()
    if child is None:
        parent(job, asked["workflow"], asked["version"]).start(asked["input"])
    if not asked["wait"]:
        return None  # the task passes its own input on
    if child is not None and child.state == "succeeded":
        return payloads.resolve(child.output, payloads.load(child.pk, [child.output]))
    if child is not None and child.state in ("cancelled", "failed"):
        raise failure(child)
    return Rest("child")


def parent(job: Job, name: str, version: str | None) -> Parent:
    """Return the step as a parent of runs of this workflow. Raises ActionError when there is no such version."""
    root, depth = Run.objects.values_list("root", "depth").get(pk=job.held.run)
    try:
        definition = find("workflow", name, version)
    except OperationError as error:
        raise ActionError("not_started", error.message, retryable=False) from None
    return Parent(job.held.step, job.held.run, root or job.held.run, depth, definition)


def pinned(job: Job, workflow: Mapping[str, Any]) -> str | None:
    """Return the version for all children of a step: the one written, the one locked at publish, or that of the first
    child; None when the newest one is meant and nothing has begun.
    """
    written = workflow.get("version", LATEST)
    if written != LATEST:
        return str(written)
    locked = job.program.lock.get(workflow_key(workflow, job.program.namespace))
    if locked is not None:
        return str(locked)
    versions = Run.objects.filter(parent_step=job.held.step).order_by("parent_index")
    return versions.values_list("workflow_version__version", flat=True).first()


def failure(child: Run) -> ActionError:
    """Return the failure that a child's end means for the step (R17): the child's error, with its id."""
    error = error_of(child)
    words = error.get("detail") or error.get("title") or "it failed"
    details = {"error": error, "child": str(child.pk)}
    message = f"run {child.pk} of {child.name} {'was cancelled' if child.state == 'cancelled' else 'failed'}: {words}"
    return ActionError("child_failed", message, retryable=False, definite=False, details=details)


def error_of(child: Run) -> Error:
    """Return the error of a child that failed or was cancelled."""
    error = payloads.resolve(child.error, payloads.load(child.pk, [child.error])) if child.error else None
    return error or CANCELLED
