"""Drive runs inside the test's own process: the worker's code itself, without django-q2 around it."""

import time
import uuid
from typing import Any

from tests.support.documents import publish
from workflows import claim, operations, queries, worker
from workflows.models import Run


def work_until_idle(seconds: float = 10.0, *, patience: float = 0.5) -> None:
    """Work as a worker would, waiting for what falls due within `patience` seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        claim.reap()
        worker.work()
        waits = [wait for _, _, wait in claim.pairs()]
        if not waits or min(waits) > patience:
            return
        time.sleep(max(0.0, min(waits)))
    raise AssertionError(f"not idle after {seconds} s")


def start_action(name: str, value: Any, **options: Any) -> uuid.UUID:
    return operations.start_action(name, value, actor="user:test", trigger="test", **options).run_id


def start_workflow(name: str, value: Any, **options: Any) -> uuid.UUID:
    return operations.start_workflow(name, value, actor="user:test", trigger="test", **options).run_id


def begin(body: str, value: Any = None) -> uuid.UUID:
    """Publish a workflow and start a run of it."""
    return start_workflow(publish("story", body), {} if value is None else value)


def broadcast(kind: str = "paid", number: int = 1) -> None:
    """Send an event to everybody who listens."""
    event = {"specversion": "1.0", "id": f"{kind}{number}", "source": "/tests", "type": kind, "data": number}
    operations.deliver_event(event, actor="user:test", via="api")


def finished(run_id: uuid.UUID) -> queries.RunDetail:
    """Work, then return the run as queries show it."""
    work_until_idle()
    return shown(run_id)


def shown(run_id: uuid.UUID) -> queries.RunDetail:
    found = queries.run(run_id)
    assert found is not None
    return found


def state(run_id: uuid.UUID) -> str:
    return Run.objects.values_list("state", flat=True).get(pk=run_id)
