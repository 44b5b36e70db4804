"""Runs in any state, made by hand: what operations and pages must cope with, without the way there."""

import uuid
from datetime import timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from dotdo_site import embedded_postgres
from tests.support.engine import start_action
from workflows.models import Branch, Run, Step
from workflows.operations import locking

NOW = timezone.now


def run(state: str = "running", reason: str = "", *, stopped: timedelta | None = None, **values: Any) -> Run:
    """Make a run in this state without steps; `stopped`: for how long it has been failed or suspended."""
    run_id = start_action("test-echo", {"value": 1})
    Step.objects.filter(run=run_id).delete()
    if state in {"succeeded", "cancelled"}:
        values["finished_at"] = Now()
    if stopped is not None:
        values["stopped_at"] = Now() - stopped
    Run.objects.filter(pk=run_id).update(state=state, reason=reason, **values)
    return Run.objects.get(pk=run_id)


def crowd() -> None:
    """Make runs in every state and look at them: what the planner then chooses is what it chooses among many."""
    states = [("succeeded", ""), ("running", ""), ("pending", ""), ("waiting", "timer"), ("waiting", "back_off")]
    for state, reason in states * 40:
        run(state, reason)
    for number in range(220):
        run("failed", "undone" if number % 10 else "dead_letter", stopped=timedelta(minutes=1))
    analyze("run")


def analyze(table: str) -> None:
    """Let the planner know what is committed. The application's role may not: it would be passed over."""
    with psycopg.connect(embedded_postgres.superuser_url(settings.VAR_DIR), dbname="dotdo", autocommit=True) as server:
        server.execute(f"ANALYZE {table}")


def root(made: Run) -> Branch:
    return Branch.objects.get(run=made, parent=None)


def step(
    made: Run,
    name: str = "work",
    state: str = "ready",
    kind: str = "call",
    *,
    due: timedelta = timedelta(0),
    age: timedelta = timedelta(0),
    branch: Branch | None = None,
    **values: Any,
) -> Step:
    """Make a step of a run, due from now on by `due` and created `age` ago."""
    if state == "running":
        values |= {"leased_by": uuid.uuid4(), "lease_expires_at": NOW() + timedelta(minutes=1), "started_at": NOW()}
    if state in {"succeeded", "failed", "cancelled", "skipped"}:
        values |= {"finished_at": NOW()}
    values.setdefault("key", f"/do/0/{name}")
    return Step.objects.create(
        run=made,
        branch=branch or root(made),
        ref=f"/do/0/{name}",
        name=name,
        kind=kind,
        state=state,
        due_at=NOW() + due,
        created_at=NOW() - age,
        **values,
    )


def fork(made: Run, count: int, *, open: int) -> list[Branch]:  # noqa: A002 - the word for it
    """Give a run a fork of so many branches, of which `open` have not ended."""
    Branch.objects.filter(pk=root(made).pk).update(revision=100, open=open)
    return [
        Branch.objects.create(
            run=made, parent=root(made), frame=f"/do/0/f#{n}", index=n, state="open" if n < open else "closed",
            audit_head=bytes(32),
        )
        for n in range(count)
    ]  # fmt: skip


def state(made: Step | Run) -> str:
    return str(type(made).objects.values_list("state", flat=True).get(pk=made.pk))


def again(made: Step) -> Step:
    return Step.objects.get(pk=made.pk)


def tell(made: Run, kind: str, data: dict[str, Any]) -> None:
    """Append an event to the chain of a run, as a checkpoint would."""
    with transaction.atomic():
        locking.record([(locking.lock(made.pk), kind, data)], "worker:test", "")
