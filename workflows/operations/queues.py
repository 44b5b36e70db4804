"""Let a queue rest. None of its steps begins, on any host, within about a second; what is running finishes.

What rests are steps that are due, whatever they do: calls, undo steps, the ends of waits and time limits. Clocks go on:
a wait or a time limit that comes to its end meanwhile is looked at when the queue goes on. Runs can still be started,
cancelled, suspended, and events reach them.
"""

import uuid

from django.db.models.functions import Now

from actions.running import refuse_inside_handler
from audit.recording import record
from workflows import queue_names, rules, wake
from workflows.models import Queue
from workflows.operations.errors import UnknownQueue, refuse
from workflows.operations.together import in_one_transaction

NAMESPACE = uuid.UUID("b1d0a6c4-5d0f-5a5b-8a07-61f0f27c9a53")  # of the audit chains of queues


@in_one_transaction
def pause_queue(name: str, *, actor: str, reason: str) -> None:
    """Let no step of a queue begin until it is resumed. Raises UnknownQueue, NotAllowed."""
    refuse_inside_handler("pause a queue")
    known = queue_names.names()
    if name not in known:
        raise UnknownQueue(name, known)
    Queue.objects.get_or_create(name=name)
    row = Queue.objects.select_for_update().get(name=name)
    refuse(rules.pause_queue_refusal(paused=row.paused_at is not None))
    Queue.objects.filter(name=name).update(paused_at=Now(), paused_by=actor, reason=reason)
    record(chain=chain(name), kind="queue.paused", actor=actor, reason=reason, data={"queue": name})


@in_one_transaction
def resume_queue(name: str, *, actor: str, reason: str) -> None:
    """Let the steps of a paused queue begin again, those that have waited longest first.

    Raises UnknownQueue, NotAllowed.
    """
    refuse_inside_handler("resume a queue")
    row = Queue.objects.select_for_update().filter(name=name).first()
    if row is None and name not in (known := queue_names.names()):
        raise UnknownQueue(name, known)
    refuse(rules.resume_queue_refusal(paused=row is not None and row.paused_at is not None))
    Queue.objects.filter(name=name).update(paused_at=None, paused_by="", reason="")
    record(chain=chain(name), kind="queue.resumed", actor=actor, reason=reason, data={"queue": name})
    wake.workers()


def chain(name: str) -> uuid.UUID:
    """Return the audit chain of a queue."""
    return uuid.uuid5(NAMESPACE, name)
