"""Execute the call of a job: one attempt, and its result or failure as a value."""

import threading
import time
import uuid
from dataclasses import replace
from datetime import datetime
from multiprocessing import parent_process
from typing import Any, NamedTuple

import psycopg
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Min

from actions import registry, secrets
from actions.alarm import GRACE_SECONDS
from actions.context import Context
from actions.errors import Failure, from_exception
from actions.invoke import Outcome, invoke
from workflows import at_once, epoch, pulse
from workflows.engine.frames import open_timers
from workflows.functions import FUNCTIONS
from workflows.job import Job
from workflows.language.builtins import BUILTINS
from workflows.lessee import Happened
from workflows.models import Step
from workflows.programs import ActionSpec, is_builtin

_FENCE = at_once.Opening(
    """
    SELECT set_config('idle_in_transaction_session_timeout', :limit, true) FROM step
    WHERE id = :step AND claim = :claim AND state = 'running' FOR NO KEY UPDATE
    """
)
_HANDLER = "dotdo_handler"  # the savepoint
CALLING = ("call", "run", "emit", "undo")
LONGEST_BUILTIN_SECONDS = 30.0
SHORTEST_MS = 10
SWALLOWED = "A query of the handler failed, and the handler went on. Put what may fail in transaction.atomic()."


class LeaseLost(Exception):
    """Another worker holds the step now; nothing of this attempt may be kept."""


class Attempted(NamedTuple):
    """What happened, and whether the connection can still be trusted (an alarm may have cut a query in half)."""

    happened: Happened
    interrupted: bool = False
    secrets_used: frozenset[tuple[str, str]] = frozenset()


def known(job: Job) -> bool:
    """Tell whether this process has the handler that the job calls."""
    if job.action is None or job.action.kind != "python":
        return True
    config = job.action.config
    return registry.handler(config.get("name", job.action.name), config.get("version", job.action.version)) is not None


def transactional(job: Job) -> bool:
    """Tell whether the call runs inside the transaction that records its result."""
    return is_builtin(job.called) or (job.action is not None and job.action.transactional)


def attempt(job: Job, lost: threading.Event) -> Attempted:
    """Run a handler that talks to the outside; it is told to stop when its lease is lost."""
    return _invoke(job, lost)


def cut_off(job: Job) -> Happened:
    """Return what became of the attempt before: its handler did not stop, and its process was ended."""
    error = Step.objects.values_list("error", flat=True).get(id=job.held.step) or {}
    failure = Failure(str(error["code"]), str(error["message"]), retryable=True)
    began_at, by = error["cut_off"]["began_at"], error["cut_off"]["worker"]
    return Happened(failure=failure, started_at=began_at and datetime.fromisoformat(began_at), worker=uuid.UUID(by))


def lock(job: Job) -> None:
    """Take the fence in the open transaction, and set the savepoint of `attempt_in_transaction`. Raises LeaseLost.

    The row lock is the lease: it keeps other workers away while the transaction lives, and it survives the rollback
    to the savepoint, so a failure is recorded before anybody can take over. A session that goes silent for longer than
    the handler may is ended by the server.
    """
    seconds = (job.action.timeout_ms / 1_000 if job.action else LONGEST_BUILTIN_SECONDS) + GRACE_SECONDS
    limit = round(seconds * 1_000)
    values: dict[str, at_once.Value] = {"step": job.held.step, "claim": job.held.claim, "limit": limit}
    if not _FENCE.begin(values, f"SAVEPOINT {_HANDLER}"):
        raise LeaseLost


def attempt_in_transaction(job: Job) -> Attempted:
    """Run a handler inside the open transaction, the step locked; what it wrote is undone when it fails."""
    attempted = _in_savepoint(job)
    if attempted.interrupted:
        return attempted
    failure = attempted.happened.failure or _swallowed() or _constraint_failure()
    if failure is not None:
        transaction.set_rollback(False)  # an ORM call that failed asks for it, and would refuse the savepoint
        transaction.savepoint_rollback(_HANDLER)
        record_uses(job, attempted)
        attempted.happened.failure = failure
    return attempted


def _in_savepoint(job: Job) -> Attempted:
    """Let Django know of the savepoint: what the handler asks for on commit is dropped with what it wrote."""
    inside = connection.savepoint_ids
    around = len(inside)
    inside.append(_HANDLER)
    try:
        return _builtin(job) if is_builtin(job.called) else _invoke(job, threading.Event())
    finally:
        del inside[around:]  # also what an alarm kept an inner block from taking away


def record_uses(job: Job, attempted: Attempted) -> None:
    """Record the secrets that an attempt was given whose transaction is gone: what was handed out stays handed out."""
    for name, host in attempted.secrets_used:
        secrets.record_use(name, host, str(job.held.run), job.key)


def _swallowed() -> Failure | None:
    """Tell of a query that failed although the handler says that all is well: nothing after it was written."""
    aborted = psycopg.pq.TransactionStatus.INERROR
    if not connection.needs_rollback and connection.connection.info.transaction_status != aborted:
        return None
    return Failure("database_error", SWALLOWED, retryable=True)


def _constraint_failure() -> Failure | None:
    """Give the savepoint up. Deferred constraints are checked before: a violation is the failure of the handler."""
    try:
        with connection.wrap_database_errors:
            at_once.send("SET CONSTRAINTS ALL IMMEDIATE", f"RELEASE SAVEPOINT {_HANDLER}")
    except DatabaseError as error:
        return from_exception(error)
    return None


def _builtin(job: Job) -> Attempted:
    started_at = job.now()
    problems = BUILTINS[job.called].problems(job.input) if job.called in BUILTINS else []
    if problems:
        failure = Failure("invalid_input", "; ".join(problems), retryable=False, definite=True)
        return Attempted(Happened(failure=failure, started_at=started_at))
    try:
        output: Any = FUNCTIONS[job.called](job)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in here is this attempt's failure
        return Attempted(Happened(failure=from_exception(error), started_at=started_at))
    return Attempted(Happened(output=output, started_at=started_at))


def _within(job: Job, action: ActionSpec) -> ActionSpec:
    """Return the action with no more time than the timeouts of the tasks around the call leave it."""
    timers = [*open_timers(job.cursor), job.cursor.get("timer", "")]
    if not any(timers):
        return action
    rows = Step.objects.filter(run=job.held.run, key__in=timers, kind="timer", state="ready")
    due_at = rows.aggregate(first=Min("due_at"))["first"]
    if due_at is None:
        return action
    left = max(SHORTEST_MS, int((due_at - job.now()).total_seconds() * 1_000))
    return replace(action, timeout_ms=min(action.timeout_ms, left))


def _invoke(job: Job, stop: threading.Event) -> Attempted:
    assert job.action is not None  # noqa: S101 - for mypy
    started_at = job.now()
    context = Context(
        run_id=str(job.held.run),
        step_key=job.key,
        attempt=job.held.attempt + 1,
        idempotency_key=job.effect_key,
        fence=epoch.fence(job.held.claim),
        deadline=time.monotonic() + job.action.timeout_ms / 1_000,
        stop=stop,
        secret_names=job.program.secrets,
    )
    action = _within(job, job.action)
    with pulse.handling(action.timeout_ms / 1_000 + GRACE_SECONDS):
        outcome: Outcome = invoke(action, job.input, context, hard_stop=parent_process() is not None)
    happened = Happened(outcome.output, outcome.failure, list(outcome.log), started_at)
    return Attempted(happened, outcome.interrupted, outcome.used)
