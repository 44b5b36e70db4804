"""Run the call of a job and record what came of it: beside its transaction, or in it.

What happened outside cannot be undone, so its result is kept through any trouble. What a transactional handler wrote
commits with the checkpoint, or not at all.
"""

import logging
import random
import threading
import time
from contextlib import suppress

import psycopg
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction

from actions import retry
from actions.errors import MESSAGE_LIMIT, Failure, shorten
from workflows import execution, progress, recording, steps
from workflows.engine.advance import Stale
from workflows.engine.messages import Done, Failed
from workflows.execution import Attempted, LeaseLost
from workflows.failures import language_error
from workflows.functions.rest import Rest
from workflows.heartbeat import Heartbeat
from workflows.job import Job
from workflows.lessee import Happened, Lessee
from workflows.outage import gave_way, is_away, is_outage, takes_nothing_now, troubles
from workflows.recording import Moved, Over

log = logging.getLogger(__name__)
BLOCKED_SECONDS = 15.0
CANCEL_SECONDS = 5.0
UNDIGESTED = "engine_error"


class Broken(Exception):
    """The database gave up a transaction under its handler: nothing was kept."""


def call(job: Job, lessee: Lessee, heartbeat: Heartbeat) -> Job | None:
    """Bring a call to its next checkpoint. Raises Broken, LeaseLost, Moved, Over, Stale, errors of the database."""
    if not _awaited(job):  # its worker died, and meanwhile its scope was left
        raise Stale
    if job.held.cut_off:
        return keep(job, execution.cut_off(job), lessee)
    if _crashed_too_often(job):
        return recording.write(job, progress.poisoned(job, poison(job.held.crashes), lessee), None, lessee)
    if not execution.known(job):
        log.warning("no handler for %s in this worker: run %s waits for one", job.function, job.held.run)
        return recording.write(job, progress.blocked(job, BLOCKED_SECONDS, lessee), None, lessee)
    if execution.transactional(job):
        return _call_in_transaction(job, lessee)
    lost = threading.Event()
    with heartbeat.renewing(job.held.step, job.held.claim, lost):  # also while the result is kept
        return keep(job, attempt(job, lost), lessee)


def attempt(job: Job, lost: threading.Event) -> Happened:
    """Run the handler of a call outside a transaction; `lost` tells it that its lease is gone."""
    began = time.monotonic()
    attempted = execution.attempt(job, lost)
    attempted.happened.seconds = time.monotonic() - began
    _distrust(attempted)
    return attempted.happened


def conclude(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Record what happened; when the branch moved meanwhile, decide again on what it is now."""
    while True:
        try:
            return _record(job, happened, lessee)
        except Moved:
            _again(job)
        except (DatabaseError, psycopg.Error) as error:
            if connection.in_atomic_block or not gave_way(error):
                raise
            _again(job)


def poison(crashes: int) -> Failure:
    """Return the failure of a step that took so many workers with it."""
    often = "once" if crashes == 1 else f"{crashes} times"
    return Failure("poisoned", f"The worker died {often} while it ran this step.", retryable=False)


def _call_in_transaction(job: Job, lessee: Lessee) -> Job | None:
    """Run handler, engine and checkpoint in one transaction, again when it gave way: all of it commits, or none."""
    while True:
        try:
            return _transaction(job, lessee)
        except (DatabaseError, psycopg.Error) as error:
            if not gave_way(error):
                raise
            _again(job)


def _transaction(job: Job, lessee: Lessee) -> Job | None:
    """Commit a call with its checkpoint. What the database does not keep, and why, is recorded in another commit.

    An outage under a handler counts as a crash when it may be the handler that makes it, each time.
    """
    begun, attempted = False, Attempted(Happened(started_at=job.now()))
    try:
        with transaction.atomic():
            execution.lock(job)
            begun = job.action is not None
            attempted = execution.attempt_in_transaction(job)
            if not attempted.interrupted:
                return conclude(job, attempted.happened, lessee)
            _distrust(attempted)
    except (DatabaseError, psycopg.Error) as error:
        if is_outage(error) and (not begun or gave_way(error) or takes_nothing_now(error)):
            raise
        if is_outage(error):
            troubles.wait(error)
            _refresh_when_back(job)
            raise Broken(_broken(error)) from error
        attempted.happened.output, attempted.happened.failure = None, _not_kept(error)
    with transaction.atomic():
        execution.record_uses(job, attempted)
        return conclude(job, attempted.happened, lessee)


def keep(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Record what happened outside, where it cannot be undone: running it again is the last resort.

    A database that is away is waited for. A result that the engine cannot digest parks the step at once.
    """
    while True:
        try:
            return conclude(job, happened, lessee)
        except (LeaseLost, Over, Stale):
            raise
        except Exception as error:
            if is_outage(error):
                troubles.wait(error)
                _refresh_when_back(job)
                continue
            if happened.failure is not None and happened.failure.code == UNDIGESTED:
                raise
            log.exception("the result of step %s of run %s could not be recorded", job.key, job.held.run)
            happened = Happened(failure=_undigested(error), started_at=happened.started_at)


def _refresh_when_back(job: Job) -> None:
    """Read the held step again once the database answers; a COMMIT that arrived after all means LeaseLost."""
    while True:
        try:
            return recording.refresh(job)
        except (DatabaseError, psycopg.Error) as error:
            if not is_outage(error):
                raise
            troubles.wait(error)


def _again(job: Job) -> None:
    recording.refresh(job)
    if job.held.over:
        raise Over


def _record(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Record a success, a rest, a back-off or the end of all attempts."""
    failure = happened.failure
    if not _awaited(job) and (failure is not None or isinstance(happened.output, Rest)):
        raise Stale
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


def _awaited(job: Job) -> bool:
    """Tell whether the branch still waits for this call: a timeout or a fault may have left it behind."""
    return job.kind == "undo" or job.key in progress.open_keys(job.cursor)


def _crashed_too_often(job: Job) -> bool:
    """Tell whether the call must not run again: too many crashes, or one where the action says `on_crash: park`."""
    park = job.action is not None and job.action.on_crash == "park"
    return job.held.crashes >= (1 if park else settings.MAX_CRASHES)


def _undigested(error: Exception) -> Failure:
    message = f"The action ran, but its result could not be recorded: {type(error).__name__}: {error}"
    return Failure(UNDIGESTED, shorten(message, MESSAGE_LIMIT), retryable=False)


def _broken(error: Exception) -> str:
    said = "The connection to the database broke" if is_away(error) else f"The database gave up ({error})"
    return shorten(f"{said} under the handler.", MESSAGE_LIMIT)


def _not_kept(error: Exception) -> Failure:
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
