"""The audit links of a branch's chain: what a checkpoint says of its step."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from actions.errors import Failure
from audit.recording import Link, seal
from workflows import payloads
from workflows.checkpoint import NextStep
from workflows.claim import Claimed
from workflows.job import Job
from workflows.lessee import Lessee

Event = tuple[str, Mapping[str, Any]]


def links(job: Job, lessee: Lessee, events: Iterable[Event]) -> list[Link]:
    """Seal events onto the chain of the job's branch."""
    return sealed(job.held, lessee, job.now(), events)


def sealed(held: Claimed, lessee: Lessee, at: datetime, events: Iterable[Event]) -> list[Link]:
    """Seal events onto the chain of a held step's branch."""
    found: list[Link] = []
    head, seq, actor = bytes(held.audit_head), held.audit_seq, _actor(lessee.id)
    for kind, data in events:
        seq += 1
        link = seal(head, chain=held.branch, seq=seq, run=held.run, kind=kind, actor=actor, at=at, data=data)
        found.append(link)
        head = link.hash
    return found


def step_data(job: Job) -> dict[str, Any]:
    """Return what every event of a step says, to be added to."""
    held = job.held
    data: dict[str, Any] = {"step": job.key, "name": job.name, "kind": job.kind, "claim": held.claim}
    if job.kind in ("call", "run", "emit", "undo"):
        data["function"], data["input"] = job.function, payloads.digest_of(job.input)
        data["attempt"] = held.attempt + 1
    if held.crashes:
        data["crashes"] = held.crashes
    data.update(job.facts)
    return data


def begun_data(following: NextStep | None, trace: list[str], *, before: int = 0) -> dict[str, Any]:
    """Return the path through the pure tasks and what begins behind them; `before`: how many led to the step itself."""
    data: dict[str, Any] = {"path": trace} if trace else {}
    if before:
        data["before"] = before
    if following is not None:
        data["next"] = following.key
    if following is not None and following.due_at is not None:
        data["due_at"] = following.due_at.isoformat()
    return data


def failure_data(failure: Failure) -> dict[str, Any]:
    """Return what the trail says of a failure; its message may hold data and stays with the step."""
    return {"code": failure.code, "retryable": failure.retryable, "definite": failure.definite}


def over_links(held: Claimed, lessee: Lessee) -> list[Link]:
    """Return the link of a step whose run or scope ended while it was running."""
    data = {"step": held.key, "claim": held.claim, "superseded": True}
    return sealed(held, lessee, held.now, [("step.cancelled", data)])


def poisoned_links(held: Claimed, failure: Failure, reason: str, lessee: Lessee) -> list[Link]:
    """Return the links of a step that is parked from its row alone."""
    step = {"step": held.key, "name": held.name, "kind": held.kind, "claim": held.claim, "crashes": held.crashes}
    run = {"reason": reason, "step": held.key, "code": failure.code}
    return sealed(held, lessee, held.now, [("step.failed", step | failure_data(failure)), ("run.failed", run)])


@lru_cache(maxsize=8)
def _actor(worker: uuid.UUID) -> str:
    return f"worker:{worker}"
