"""Queues and workers."""

from django.db.models import Count, F, Min
from django.db.models.functions import Now

from workflows.models import Step, Worker
from workflows.queries.rows import QueueRow, WorkerRow


def queues() -> list[QueueRow]:
    """Return the queues with due steps, most work first."""
    due = Step.objects.filter(state="ready", due_at__lte=Now()).values("queue")
    rows = due.annotate(n=Count("id"), waited=Now() - Min("due_at")).order_by("-n")
    return [QueueRow(name=row["queue"], due=row["n"], oldest_seconds=row["waited"].total_seconds()) for row in rows]


def workers() -> list[WorkerRow]:
    """Return the workers that have not stopped, newest first."""
    rows = Worker.objects.filter(stopped_at__isnull=True).order_by(F("started_at").desc())
    held = dict(Step.objects.filter(state="running").values_list("leased_by", "id"))
    return [
        WorkerRow(
            id=row.id,
            host=row.host,
            pid=row.pid,
            code_version=row.code_version,
            queues=list(row.queues),
            started_at=row.started_at,
            heartbeat_at=row.heartbeat_at,
            step=held.get(row.id),
        )
        for row in rows
    ]
