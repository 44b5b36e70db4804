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
from django.db import connection, transaction

from actions import retry
from actions.errors import MESSAGE_LIMIT, Failure, shorten
from workflows import (
    claim,
    closing,
    draining,
    epoch,
    execution,
    late,
    progress,
    recording,
    scheduling,
    steps,
    superseding,
)
from workflows.checkpoint import CursorTooLarge
from workflows.claim import Claimed
from workflows.engine.advance import Stale
from workflows.engine.messages import Advance, CallFunction, Done, Failed
from workflows.execution import Attempted, LeaseLost
from workflows.failures import language_error
from workflows.functions.rest import Rest
from workflows.identity import Identity, identity
from workflows.job import Job, action_of, load
from workflows.lessee import Happened, Lessee
from workflows.outage import AWAY, gave_way, is_away, not_now, pause
from workflows.recording import Moved, Over

log = logging.getLogger(__name__)
BLOCKED_SECONDS = 15.0
SCHEDULES_SECONDS = 1.0  # between two looks at the schedules while steps are due
CANCEL_SECONDS = 5.0
UNDIGESTED = "engine_error"
SCARCE = (OSError, MemoryError)  # something is missing on this machine: it may be there the next time
_unsure: list[bool] = []


class ConnectionBroken(Exception):
    """The connection broke under a transactional handler: nothing of it was kept."""


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
    look_at = 0.0
    while not draining.requested() and time.monotonic() < until:
        if time.monotonic() >= look_at:
            scheduling.fire_due()
            look_at = time.monotonic() + SCHEDULES_SECONDS
        held = me.take()
        if held is None:
            return
        drive(held, me, until)
        _recover(me)


def _wait_for_database(error: Exception) -> None:
    log.warning("the database %s: %s", "went away" if is_away(error) else "gave up on it", str(error).strip())
    connection.close()
    epoch.forget()
    time.sleep(pause(len(_unsure)))
    _unsure.append(True)


def _recover(me: Identity) -> None:
    """After a lost connection, hand back what we may still hold: whether a COMMIT arrived, only the rows know."""
    if _unsure:
        claim.release(me.id)
        _unsure.clear()


def drive(held: Claimed, me: Identity, until: float) -> None:
    """Execute a held step and those that follow it in its run, as long as the time slice lasts."""
    current = held
    lessee = me.lessee(keep=lambda: time.monotonic() < until and not draining.requested())
    job: Job | None = None
    try:
        job = _loaded(held, lessee)
        if job is not None and held.stopped and not held.cut_off:  # back from a dead worker, or stopped before
            job = recording.write(job, progress.postponed(job, "held", 0.0), None, lessee)
        while job is not None:
            current = job.held
            job = _step_until_recorded(job, lessee, me)
    except LeaseLost:
        log.info("step %s of run %s is not ours any more; this attempt is dropped", current.key, current.run)
    except Over:
        _close(current, me, job)
    except AWAY:
        raise
    except ConnectionBroken:
        log.warning("the connection broke under step %s of run %s", current.key or current.name, current.run)
        _count_a_crash(me, "The connection to the database broke under the handler.")
    except Exception as error:
        log.exception("step %s of run %s could not be executed", current.key or current.name, current.run)
        connection.close()
        if isinstance(error, SCARCE) or not _quarantined(current, me, error):
            _count_a_crash(me, f"The worker could not execute the step: {_said(error)}")


def _count_a_crash(me: Identity, why: str) -> None:
    """Give up what we hold now, not when its lease ends: the third time a person looks at it."""
    claim.bury(me.id, shorten(why, MESSAGE_LIMIT))
    _unsure.clear()


def _quarantined(held: Claimed, me: Identity, error: Exception) -> bool:
    """Park a run that the engine cannot digest, so that it takes no other with it; False if not even that works."""
    message = shorten(f"The engine could not go on: {_said(error)}", MESSAGE_LIMIT)
    failure = Failure(UNDIGESTED, message, retryable=False)
    try:
        again = claim.reload(held.step, held.claim)
        return again is None or recording.park(again, failure, progress.QUARANTINED, me.lessee())
    except AWAY:
        raise
    except Exception:
        log.exception("run %s could not be put into quarantine", held.run)
        connection.close()
        return False


def _loaded(held: Claimed, lessee: Lessee) -> Job | None:
    """Read what a step needs. One that could not even be parked by way of its data is parked by its row alone."""
    if held.over:
        raise Over
    if held.crashes <= settings.MAX_CRASHES:
        return load(held)
    recording.park(held, _poison(held.crashes), progress.POISONED, lessee)
    return None


def _step_until_recorded(job: Job, lessee: Lessee, me: Identity) -> Job | None:
    """Bring the job one checkpoint further, from the beginning again when its branch moved before anything ran."""
    while True:
        try:
            return _step(job, lessee, me)
        except Moved:
            job = load(recording.reloaded(job.held))
        except AWAY as error:
            if not gave_way(error):
                raise
            job = load(recording.reloaded(job.held))
        except Stale:
            raise Over from None
        except CursorTooLarge as error:
            failure = Failure("too_much_to_remember", str(error), retryable=False)
            recording.park(job.held, failure, progress.DEAD_LETTER, lessee)
            return None


def _step(job: Job, lessee: Lessee, me: Identity) -> Job | None:
    """Bring the job one checkpoint further; return the next job of the run when it is leased to us."""
    if job.held.over:
        raise Over
    if job.held.crashes >= settings.MAX_CRASHES and job.kind not in execution.CALLING and job.kind != "start":
        return recording.write(job, progress.poisoned(job, _poison(job.held.crashes), lessee), None, lessee)
    if steps.skips(job):
        return steps.skip(job, lessee)
    if job.kind == "start":
        result = steps.begin(job)
        if not _starts_with_call(result, lessee):
            return steps.begun(job, result, lessee)
        assert isinstance(result.command, CallFunction)  # noqa: S101 - for mypy
        job.become(result.command, result)
    if job.kind in execution.CALLING and job.function:
        return _call(job, lessee, me)
    return steps.STEPS[job.kind](job, lessee)


def _starts_with_call(result: Advance, lessee: Lessee) -> bool:
    """Tell whether a run begins with a call that can be executed at once, and with nothing beside it."""
    if not isinstance(result.command, CallFunction) or not lessee.keep() or result.armed:
        return False
    action = action_of(result.command)
    return action is None or not action.queue or lessee.serves(action.queue)


def _call(job: Job, lessee: Lessee, me: Identity) -> Job | None:
    if job.held.cut_off:
        return _keep(job, execution.cut_off(job), lessee)
    if _crashed_too_often(job):
        return recording.write(job, progress.poisoned(job, _poison(job.held.crashes), lessee), None, lessee)
    if not execution.known(job):
        log.warning("no handler for %s in this worker: run %s waits for one", job.function, job.held.run)
        return recording.write(job, progress.blocked(job, BLOCKED_SECONDS, lessee), None, lessee)
    if execution.transactional(job):
        return _call_in_transaction(job, lessee)
    attempted = execution.attempt(job, me.heartbeat)
    _distrust(attempted)
    return _keep(job, attempted.happened, lessee)


def _call_in_transaction(job: Job, lessee: Lessee) -> Job | None:
    """Run handler, engine and checkpoint in one transaction, again when it gave way: all of it commits, or none."""
    while True:
        try:
            return _transaction(job, lessee)
        except AWAY as error:
            if not gave_way(error):
                raise
            _again(job)


def _transaction(job: Job, lessee: Lessee) -> Job | None:
    """Commit a call with its checkpoint; a failure of its own is recorded on its own.

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
        if not begun or gave_way(error) or not_now(error):
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
        except (LeaseLost, Over, Stale):
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
            return recording.refresh(job)
        except AWAY as error:
            _wait_for_database(error)


def _conclude(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Record what happened; when the branch moved meanwhile, decide again on what it is now."""
    while True:
        try:
            return _record(job, happened, lessee)
        except Moved:
            _again(job)
        except AWAY as error:
            if connection.in_atomic_block or not gave_way(error):
                raise
            _again(job)


def _again(job: Job) -> None:
    recording.refresh(job)
    if job.held.over:
        raise Over


def _record(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Record a success, a rest, a back-off or the end of all attempts."""
    failure = happened.failure
    if isinstance(happened.output, Rest):
        return recording.write(job, progress.resting(job, happened.output, lessee), None, lessee)
    if failure is not None:
        policy = job.action.retry if job.action else retry.Retry()
        decision = retry.decide(policy, job.held.failures + 1, failure, random.random())  # noqa: S311 - jitter
        if isinstance(decision, retry.RetryIn):
            return recording.write(job, progress.retrying(job, happened, decision.seconds, lessee), None, lessee)
    if job.kind == "undo":
        job.came = happened if failure is None else None
        return steps.after_undo(job, happened, lessee)
    if failure is None:
        result = job.advance(Done(job.key, happened.output))
        job.came, job.pushed = happened, result.undo
        return recording.succeeded(job, happened, result, lessee)
    error = language_error(failure, job.ref)
    return recording.failed(job, happened, job.advance(Failed(job.key, error)), lessee)


def _close(held: Claimed, me: Identity, job: Job | None) -> None:
    """End a step that came too late; what happened outside all the same is kept, and undone if it can be."""
    again = claim.reload(held.step, held.claim)
    if again is None:
        return
    happened = job is not None and job.came is not None and not execution.transactional(job)
    with transaction.atomic():
        if not closing.close(again, me.lessee()):
            return
        if job is not None and happened:
            superseding.keep(job, again, me.lessee())
        late.cancelled([again.step])


def _crashed_too_often(job: Job) -> bool:
    """Tell whether the call must not run again: too many crashes, or one where the action says `on_crash: park`."""
    park = job.action is not None and job.action.on_crash == "park"
    return job.held.crashes >= (1 if park else settings.MAX_CRASHES)


def _poison(crashes: int) -> Failure:
    often = "once" if crashes == 1 else f"{crashes} times"
    return Failure("poisoned", f"The worker died {often} while it ran this step.", retryable=False)


def _undigested(error: Exception) -> Failure:
    message = f"The action ran, but its result could not be recorded: {_said(error)}"
    return Failure(UNDIGESTED, shorten(message, MESSAGE_LIMIT), retryable=False)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


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
