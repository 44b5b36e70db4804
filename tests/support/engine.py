"""Drive runs inside the test's own process: the worker's code itself, without django-q2 around it."""

import time
import uuid
from typing import Any

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
