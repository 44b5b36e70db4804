"""The worker: claim a due step, execute it, let the engine decide, record it, go on with the same run.

`work` is what django-q2 executes on a hint. It takes step after step until nothing is due, its time slice ends or the
cluster drains. Whatever happens to the process, the rows tell where to go on; see `checkpoint` and `claim`.
"""

import logging
import random
import time
from contextlib import suppress

import psycopg
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection, transaction

from actions import retry
from actions.errors import MESSAGE_LIMIT, Failure, shorten
from workflows import checkpoint, claim, closing, draining, execution, progress
from workflows.checkpoint import Progress
from workflows.claim import Claimed
from workflows.engine.messages import Advance, CallFunction, Continue, Done, Failed, Park, Start
from workflows.execution import Attempted, LeaseLost
from workflows.identity import Identity, identity
from workflows.job import Job, action_of, follow, load
from workflows.progress import Happened, Lessee

log = logging.getLogger(__name__)
BLOCKED_SECONDS = 15.0
CANCEL_SECONDS = 5.0
UNDIGESTED = "engine_error"
FINAL = ("succeeded", "cancelled")
_unsure: list[bool] = []
AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


class Moved(Exception):
    """The branch moved under a checkpoint: nothing was written; read it again and apply the message again."""


class ConnectionBroken(Exception):
    """The connection broke under a transactional handler: nothing of it was kept."""


class RunEnded(Exception):
    """The run ended while the step was running: its result is dropped, a transactional handler rolled back."""


def work() -> None:
    """Execute due steps. Called by django-q2 for each hint; does nothing when nothing is due.

    When the database goes away it waits for it, so that what was held is handed back as soon as it returns.
    """
    until = time.monotonic() + settings.TIME_SLICE_SECONDS
    while True:
        try:
            return _work(until)
        except AWAY as error:
            _wait_for_database(error)


def _work(until: float) -> None:
    me = identity()
    _recover(me)
    while not draining.requested() and time.monotonic() < until:
        held = me.take()
        if held is None:
            return
        drive(held, me, until)
        _recover(me)


def _wait_for_database(error: Exception) -> None:
    log.warning("the database went away: %s", str(error).strip())
    connection.close()
    _unsure.append(True)
    time.sleep(random.uniform(0.2, 1.0))  # noqa: S311 - jitter


def _recover(me: Identity) -> None:
    """After a lost connection, hand back what we may still hold: whether a COMMIT arrived, only the rows know."""
    if _unsure:
        claim.release(me.id)
        _unsure.clear()


def drive(held: Claimed, me: Identity, until: float) -> None:
    """Execute a held step and those that follow it in its run, as long as the time slice lasts."""
    current = held
    lessee = me.lessee(keep=lambda: time.monotonic() < until and not draining.requested())
    try:
        job: Job | None = _loaded(held, lessee)
        while job is not None:
            current = job.held
            job = _step_until_recorded(job, lessee, me)
    except LeaseLost:
        log.info("step %s of run %s is not ours any more; this attempt is dropped", current.key, current.run)
    except RunEnded:
        _close(current, me)
    except AWAY:
        raise
    except ConnectionBroken:
        log.warning("the connection broke under step %s of run %s", current.key or current.name, current.run)
        _count_a_crash(me)
    except Exception:
        # A step that the engine cannot digest must not take others with it: after a few crashes a person looks at it.
        log.exception("step %s of run %s could not be executed", current.key or current.name, current.run)
        connection.close()
        _count_a_crash(me)


def _count_a_crash(me: Identity) -> None:
    """End the leases that we hold now instead of later: the reaper then counts a crash and frees the step."""
    claim.expire(me.id)
    _unsure.clear()


def _loaded(held: Claimed, lessee: Lessee) -> Job | None:
    """Read what a step needs. One that could not even be parked by way of its data is parked by its row alone."""
    if held.run_state in FINAL:
        raise RunEnded
    if held.crashes <= settings.MAX_CRASHES:
        return load(held)
    closing.park(held, _poison(held.crashes), lessee)
    return None


def _step_until_recorded(job: Job, lessee: Lessee, me: Identity) -> Job | None:
    """Bring the job one checkpoint further, from the beginning again when its branch moved before anything ran."""
    while True:
        try:
            return _step(job, lessee, me)
        except Moved:
            job = load(_reloaded(job.held))


def _step(job: Job, lessee: Lessee, me: Identity) -> Job | None:
    """Bring the job one checkpoint further; return the next job of the run when it is leased to us."""
    if job.held.run_state in FINAL:
        raise RunEnded
    if job.held.crashes >= settings.MAX_CRASHES and job.kind in ("wait", "task"):
        return _write(job, progress.poisoned(job, _poison(job.held.crashes), lessee), None)
    if job.kind == "start":
        result = job.advance(Start(job.run_input))
        if not _starts_with_call(result, lessee):
            return _write(job, progress.begun(job, result, lessee), result)
        assert isinstance(result.command, CallFunction)  # noqa: S101 - for mypy
        job.become(result.command, result)
    if job.kind == "wait":
        return _conclude(job, Happened(), lessee)
    if job.kind == "task":
        return _go_on(job, lessee)
    return _call(job, lessee, me)


def _starts_with_call(result: Advance, lessee: Lessee) -> bool:
    if not isinstance(result.command, CallFunction) or not lessee.keep():
        return False
    action = action_of(result.command)
    return action is None or lessee.serves(action.queue)


def _call(job: Job, lessee: Lessee, me: Identity) -> Job | None:
    if _crashed_too_often(job):
        return _write(job, progress.poisoned(job, _poison(job.held.crashes), lessee), None)
    if not execution.known(job):
        log.warning("no handler for %s in this worker: run %s waits for one", job.function, job.held.run)
        return _write(job, progress.blocked(job, BLOCKED_SECONDS, lessee), None)
    if execution.transactional(job):
        return _call_in_transaction(job, lessee)
    attempted = execution.attempt(job, me.heartbeat)
    _distrust(attempted)
    return _keep(job, attempted.happened, lessee)


def _call_in_transaction(job: Job, lessee: Lessee) -> Job | None:
    """Run handler, engine and checkpoint in one transaction: all of it commits, or none.

    A connection that breaks under a handler counts as a crash: it may be the handler that breaks it, each time.
    """
    begun = False
    try:
        with transaction.atomic():
            execution.lock(job)
            begun = job.action is not None
            attempted = execution.attempt_in_transaction(job)
            if not attempted.interrupted:
                return _conclude(job, attempted.happened, lessee)
            _distrust(attempted)
    except AWAY as error:
        if not begun:
            raise
        _wait_for_database(error)
        _refresh_when_back(job)
        raise ConnectionBroken from error
    except DatabaseError as error:
        attempted = Attempted(Happened(failure=_commit_failure(error), started_at=job.now()))
    return _conclude(job, attempted.happened, lessee)


def _keep(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Record what happened outside, where it cannot be undone: running it again is the last resort.

    A database that is away is waited for. A result that the engine cannot digest parks the step at once.
    """
    while True:
        try:
            return _conclude(job, happened, lessee)
        except AWAY as error:
            _wait_for_database(error)
            _refresh_when_back(job)
        except (LeaseLost, RunEnded):
            raise
        except Exception as error:
            if happened.failure is not None and happened.failure.code == UNDIGESTED:
                raise
            log.exception("the result of step %s of run %s could not be recorded", job.key, job.held.run)
            happened = Happened(failure=_undigested(error), started_at=happened.started_at)


def _refresh_when_back(job: Job) -> None:
    """Read the held step again once the database answers; a COMMIT that arrived after all means LeaseLost."""
    while True:
        try:
            return _refresh(job)
        except AWAY as error:
            _wait_for_database(error)


def _conclude(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Record what happened; when the branch moved meanwhile, decide again on what it is now."""
    while True:
        try:
            return _record(job, happened, lessee)
        except Moved:
            _refresh(job)


def _record(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Record a success, a back-off or the end of all attempts."""
    failure = happened.failure
    if failure is None:
        result = job.advance(Done(job.key, happened.output))
        return _write(job, progress.succeeded(job, happened, result, lessee), result)
    policy = job.action.retry if job.action else retry.Retry()
    decision = retry.decide(policy, job.held.failures + 1, failure, random.random())  # noqa: S311 - jitter
    if isinstance(decision, retry.RetryIn):
        return _write(job, progress.retrying(job, happened, decision.seconds, lessee), None)
    result = job.advance(Failed(job.key, progress.language_error(failure, job.ref)))
    reason = progress.TIMED_OUT if failure.code == "timeout" else progress.DEAD_LETTER
    return _write(job, progress.parked(job, happened, result, reason, lessee), result)


def _go_on(job: Job, lessee: Lessee) -> Job | None:
    result = job.advance(Continue())
    if isinstance(result.command, Park) and result.command.key == job.key:
        return _write(job, progress.faulted_again(job, result, lessee), result)
    return _write(job, progress.succeeded(job, Happened(), result, lessee), result)


def _write(job: Job, wanted: Progress, result: Advance | None) -> Job | None:
    """Write a checkpoint and return the job that follows. Raises Moved, LeaseLost, RunEnded."""
    now = checkpoint.write(job.held, wanted, settings.LEASE_SECONDS)
    if now is None:
        raise RunEnded if _reloaded(job.held).run_state in FINAL else Moved
    following = next((step for step in wanted.next if step.worker is not None), None)
    if following is None or result is None:
        return None
    command = result.command if isinstance(result.command, CallFunction) else None
    return follow(job, checkpoint.held_after(job.held, wanted, following, now), command, result)


def _refresh(job: Job) -> None:
    """Read the moved branch again; the step itself is still ours. A first call keeps the cursor that led to it."""
    again = _reloaded(job.held)
    if job.held.kind != "start":
        fresh = load(again)
        job.cursor, job.context, job.stored_context = fresh.cursor, fresh.context, fresh.stored_context
    job.held, job.read_at = again, time.monotonic()


def _reloaded(held: Claimed) -> Claimed:
    again = claim.reload(held.step, held.claim)
    if again is None:
        raise LeaseLost
    return again


def _close(held: Claimed, me: Identity) -> None:
    again = claim.reload(held.step, held.claim)
    if again is not None:
        closing.close(again, me.lessee())


def _crashed_too_often(job: Job) -> bool:
    """Tell whether the call must not run again: too many crashes, or one where the action says `on_crash: park`."""
    park = job.action is not None and job.action.on_crash == "park"
    return job.held.crashes >= (1 if park else settings.MAX_CRASHES)


def _poison(crashes: int) -> Failure:
    often = "once" if crashes == 1 else f"{crashes} times"
    return Failure("poisoned", f"The worker died {often} while it ran this step.", retryable=False)


def _undigested(error: Exception) -> Failure:
    message = f"The action ran, but its result could not be recorded: {type(error).__name__}: {error}"
    return Failure(UNDIGESTED, shorten(message, MESSAGE_LIMIT), retryable=False)


def _commit_failure(error: DatabaseError) -> Failure:
    message = shorten(f"What the handler wrote could not be kept: {error}", MESSAGE_LIMIT)
    return Failure("database_error", message, retryable=True)


def _distrust(attempted: Attempted) -> None:
    """Drop a connection whose query an alarm may have cut in half; the query itself would go on, and keep its locks."""
    if attempted.interrupted:
        with suppress(DatabaseError, psycopg.Error):
            if connection.connection is not None:
                connection.connection.cancel_safe(timeout=CANCEL_SECONDS)
        with suppress(DatabaseError):
            connection.close()
