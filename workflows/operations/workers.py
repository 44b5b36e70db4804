"""Let a worker take no further step, for as long as its process lives; its successor is a worker of its own."""

import uuid

from django.db.models.functions import Now

from actions.running import refuse_inside_handler
from audit.recording import record
from workflows import rules, wake
from workflows.models import Worker
from workflows.operations.errors import UnknownWorker, refuse
from workflows.operations.together import in_one_transaction


@in_one_transaction
def drain_worker(worker_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """Let a worker finish the step it has and take no other until `undrain_worker`. Raises UnknownWorker, NotAllowed.

    The watchdog of its cluster tells it, within a second.
    """
    refuse_inside_handler("drain a worker")
    row = _lock(worker_id)
    refuse(rules.drain_refusal(stopped=row.stopped_at is not None, draining=row.draining_at is not None))
    Worker.objects.filter(pk=row.pk).update(draining_at=Now(), draining_by=actor)
    record(chain=row.pk, kind="worker.drained", actor=actor, reason=reason, data={"worker": str(row)})


@in_one_transaction
def undrain_worker(worker_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """Let a drained worker take steps again. Raises UnknownWorker, NotAllowed."""
    refuse_inside_handler("undrain a worker")
    row = _lock(worker_id)
    refuse(rules.undrain_refusal(stopped=row.stopped_at is not None, draining=row.draining_at is not None))
    Worker.objects.filter(pk=row.pk).update(draining_at=None, draining_by="")
    record(chain=row.pk, kind="worker.undrained", actor=actor, reason=reason, data={"worker": str(row)})
    wake.workers()


def _lock(worker_id: uuid.UUID) -> Worker:
    row = Worker.objects.select_for_update().filter(pk=worker_id).first()
    if row is None:
        raise UnknownWorker(worker_id)
    return row
