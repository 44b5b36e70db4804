"""Emit: a workflow sends a CloudEvent. It is delivered in the transaction of the checkpoint that records the step."""

from typing import Any

from actions.errors import ActionError
from workflows.cloudevents import tidy
from workflows.job import Job
from workflows.operations.errors import EventInvalid
from workflows.operations.events import deliver_event


def emit(job: Job) -> dict[str, Any]:
    """Deliver the event that the step's input describes, once however often it is tried; return the CloudEvent."""
    try:
        deliver_event(job.input, actor=f"run:{job.held.run}", via="emit", sender=job.held.run)
    except EventInvalid as error:
        found = [problem.as_dict() for problem in error.problems]
        message = "; ".join(map(str, error.problems))
        raise ActionError("invalid_event", message, retryable=False, details={"problems": found}) from None
    return tidy(job.input)
