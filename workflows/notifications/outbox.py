"""Write a notice in the transaction in which something happened; those of failed runs are written by a trigger."""

from django.db.models.functions import Now

from workflows.models import Notice
from workflows.notifications.kinds import SCHEDULE_FAILED


def schedule_failed(workflow: str, error: str) -> None:
    """Note that a schedule could not start its run, or cannot be read."""
    Notice.objects.create(kind=SCHEDULE_FAILED, definition=workflow, data={"error": error[:1_000]}, created_at=Now())
