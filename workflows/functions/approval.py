"""Approval: a person answers a form. The step rests until somebody does, or until it is due."""

from datetime import datetime
from typing import Any

from django.db.models.functions import Now

from actions.errors import ActionError
from workflows import approvals
from workflows.functions.rest import Rest
from workflows.job import Job
from workflows.language.durations import DurationError
from workflows.models import Message, Step


def approval(job: Job) -> Any:
    """Return the answer of a person, or Rest until there is one.

    Raises ActionError `timeout` past the due moment, `invalid_input` when somebody is asked who does not exist.
    """
    answer = Message.objects.filter(step=job.held.step, kind="answer", consumed_at__isnull=True).order_by("id").first()
    if answer is not None:
        Message.objects.filter(pk=answer.pk).update(consumed_at=Now())
        return {**(answer.data or {}), "at": answer.created_at.isoformat()}
    due_at = _due_at(job)
    if due_at is not None and due_at <= job.now():
        raise ActionError("timeout", f"Nobody answered {job.input['title']!r} in time.", retryable=False)
    _refuse_strangers(job)
    return Rest("person", due_at)


def _refuse_strangers(job: Job) -> None:
    """Fail where a name is misspelt: the question would wait for ever, or for the others alone."""
    unknown = approvals.strangers(job.input)
    if unknown:
        raise ActionError("invalid_input", "; ".join(unknown), retryable=False)


def _due_at(job: Job) -> datetime | None:
    """Return until when an answer counts, after having checked what the schema of the arguments cannot."""
    began_at = Step.objects.values_list("created_at", flat=True).get(pk=job.held.step)
    try:
        approvals.form(job.input)
        return approvals.due_at(job.input, began_at)
    except (DurationError, approvals.FormInvalid) as error:
        raise ActionError("invalid_input", str(error), retryable=False) from None
