"""Rows of runs that listen, as a checkpoint leaves them, for tests of what delivers to them."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from dotdo_site.lib import canonical
from dotdo_site.lib.ids import uuid7
from workflows.models import Branch, Run, Step, Subscription, Workflow, WorkflowVersion

HASH = bytes(32)


def listener(
    *,
    kind: str = "com.example.paid",
    source: str = "",
    correlate: Sequence[str] = (),
    values: Sequence[Any] = (),
    run_state: str = "waiting",
    state: str = "waiting",
) -> Step:
    """Return a step that listens for one type of events, perhaps pinned to the values of jq texts."""
    return listeners(
        1, kind=kind, source=source, correlate=correlate, values=[values], run_state=run_state, state=state
    )[0]


def listeners(
    count: int,
    *,
    kind: str = "com.example.paid",
    source: str = "",
    correlate: Sequence[str] = (),
    values: Sequence[Sequence[Any]] = (),
    run_state: str = "waiting",
    state: str = "waiting",
) -> list[Step]:
    """Return so many of them, each in a run of its own; `values` are those of each."""
    version, now = _version(), timezone.now()
    runs = [
        Run(
            id=uuid7(), kind="workflow", workflow_version=version, name="listening", state=run_state, trigger="test",
            actor="user:test", created_at=now, finished_at=now if run_state in ("succeeded", "cancelled") else None,
        )
        for _ in range(count)
    ]  # fmt: skip
    branches = [Branch(id=uuid7(), run=run, audit_head=HASH) for run in runs]
    steps = [_step(run, branch, state) for run, branch in zip(runs, branches, strict=True)]
    pinned = canonical.dumps(list(correlate)) if correlate else ""
    subscriptions = [
        Subscription(
            step=step,
            type=kind,
            source=source,
            correlate_from=pinned,
            correlate_hash=canonical.digest(list(values[place])) if correlate else "",
        )
        for place, step in enumerate(steps)
    ]
    Run.objects.bulk_create(runs)
    Branch.objects.bulk_create(branches)
    Step.objects.bulk_create(steps)
    Subscription.objects.bulk_create(subscriptions)
    return steps


def event(
    number: str = "1", kind: str = "com.example.paid", source: str = "/shop", **attributes: Any
) -> dict[str, Any]:
    """Return a CloudEvent."""
    return {"specversion": "1.0", "id": number, "source": source, "type": kind, **attributes}


def _step(run: Run, branch: Branch, state: str) -> Step:
    now = timezone.now()
    leased = {"leased_by": uuid.uuid4(), "lease_expires_at": now} if state == "running" else {}
    return Step(
        id=uuid7(), run=run, branch=branch, key="/do/0/l", ref="/do/0/l", name="l", kind="listen", state=state,
        due_at=now, created_at=now, **leased,
    )  # fmt: skip


def _version() -> WorkflowVersion:
    workflow, _ = Workflow.objects.get_or_create(name="listening")
    version, _ = WorkflowVersion.objects.get_or_create(
        workflow=workflow, version="1.0.0", defaults={"source": "", "document": {}}
    )
    return version
