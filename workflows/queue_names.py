"""The queues that there are: nobody declares them, so they are known from who names them."""

from actions.models import ActionVersion
from workflows.models import Queue, Worker, WorkflowVersion
from workflows.sql import Statement

DEFAULT = "default"
# A loose index scan: one probe per queue that has ready steps, however many they are.
_READY = Statement(
    """
    WITH RECURSIVE known AS (
        (SELECT queue FROM step WHERE state = 'ready' ORDER BY queue, priority LIMIT 1)
        UNION ALL
        SELECT n.queue FROM known k CROSS JOIN LATERAL (
            SELECT queue FROM step WHERE state = 'ready' AND queue > k.queue ORDER BY queue, priority LIMIT 1) n)
    SELECT queue FROM known
    """
)


def names() -> list[str]:
    """Return the queues of published definitions, of living workers, of steps that are ready, and those paused once."""
    wanted = "document__document__metadata__dotdo__queue"
    found = {DEFAULT, *(row[0] for row in _READY.rows()), *Queue.objects.values_list("name", flat=True)}
    found |= set(ActionVersion.objects.filter(state="published").values_list("queue", flat=True).distinct())
    found |= set(WorkflowVersion.objects.filter(state="published").values_list(wanted, flat=True).distinct())
    for served in Worker.objects.filter(stopped_at=None).values_list("queues", flat=True):
        found |= set(served)
    return sorted(name for name in found if name)
