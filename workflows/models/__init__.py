from workflows.models.datastore import Entry
from workflows.models.definitions import Workflow, WorkflowVersion
from workflows.models.runs import Attempt, Branch, IdempotencyKey, Payload, Run, Step
from workflows.models.workers import Worker

__all__ = [
    "Attempt",
    "Branch",
    "Entry",
    "IdempotencyKey",
    "Payload",
    "Run",
    "Step",
    "Worker",
    "Workflow",
    "WorkflowVersion",
]
