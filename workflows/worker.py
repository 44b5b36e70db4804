"""The worker: claim a due step, execute it, let the engine decide, record it, go on with the same run.

`work` is what django-q2 executes on a hint. It takes step after step until nothing is due, its time slice ends or the
cluster drains. Whatever happens to the process, the rows tell where to go on; see `checkpoint` and `claim`.
"""

import logging
import time

import psycopg
from django.conf import settings
from django.db import Error, connection, transaction

from actions.errors import MESSAGE_LIMIT, Failure, shorten
from workflows import (
    calling,
    claim,
    closing,
    draining,
    execution,
    late,
    progress,
    pulse,
    recording,
    scheduling,
    steps,
    superseding,
)
from workflows.checkpoint import CursorTooLarge
from workflows.claim import Claimed
from workflows.engine.advance import Stale
from workflows.engine.messages import Advance, CallFunction
from workflows.execution import LeaseLost
from workflows.identity import Identity, identity
from workflows.job import Job, action_of, load
from workflows.lessee import Lessee
from workflows.outage import gave_way, is_outage, troubles
from workflows.recording import Moved, Over

log = logging.getLogger(__name__)
SCHEDULES_SECONDS = 1.0  # between two looks at the schedules while steps are due
SCARCE = (OSError, MemoryError)  # something is missing on this machine: it may be there the next time
BURIED_WITHIN_SECONDS, BURY_SECONDS = 1.0, 0.2  # a session that is dying may still hold the step


def introduce(**_: object) -> None:
    """Enter this process among the workers before there is work, so that people see it; else its first hint does."""
    try:
        identity()
    except (Error, psycopg.Error) as error:
        log.warning("this worker is not entered yet: %s", str(error).strip())
        connection.close()


def work() -> None:
    """Execute due steps. Called by django-q2 for each hint; does nothing when nothing is due.

    When the database goes away it waits for it, so that what was held is handed back as soon as it returns.
    """
    until = time.monotonic() + settings.TIME_SLICE_SECONDS
    while True:
        try:
            return _work(until)
        except Exception as error:
            if not is_outage(error):
                raise
            troubles.wait(error)


def _work(until: float) -> None:
    me = identity()
    _recover(me)
    look_at = 0.0
    while not _drains() and time.monotonic() < until:
        held = me.take()
        if held is not None:
            drive(held, me, until)
            troubles.over()
            _recover(me)
        if held is None or time.monotonic() >= look_at:  # after the first one: nobody who starts a run waits for it
            fired = scheduling.fire_due()
            look_at = time.monotonic() + SCHEDULES_SECONDS
            if held is None and not fired:
                return


def _drains() -> bool:
    """Tell whether this worker is to take no further step, with its cluster or alone."""
    return draining.requested() or pulse.drained()


def _recover(me: Identity) -> None:
    """After a lost connection, hand back what we may still hold."""
    if troubles.unsure:
        claim.release(me.id)
        troubles.unsure = False


class _Drive:
    """What is held now, and what is known of it."""

    def __init__(self, held: Claimed) -> None:
        self.held = held
        self.job: Job | None = None

    def __str__(self) -> str:
        return f"step {self.held.key or self.held.name} of run {self.held.run}"


def drive(held: Claimed, me: Identity, until: float) -> None:
    """Execute a held step and those that follow it in its run, as long as the time slice lasts."""
    lessee = me.lessee(keep=lambda: time.monotonic() < until and not _drains())
    at = _Drive(held)
    try:
        try:
            _go(at, me, lessee)
        except Over:
            _close(at.held, me, at.job)
    except LeaseLost:
        log.info("%s is not ours any more; this attempt is dropped", at)
    except calling.Broken as error:
        log.warning("%s: %s", at, error)
        _count_a_crash(me, str(error))
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("%s could not be executed", at)
        connection.close()
        if isinstance(error, SCARCE) or not _quarantined(at.held, me, error):
            _count_a_crash(me, f"The worker could not execute the step: {_said(error)}")


def _go(at: _Drive, me: Identity, lessee: Lessee) -> None:
    job = at.job = _loaded(at.held, lessee)
    if job is not None and at.held.stopped and not at.held.cut_off:  # back from a dead worker, or stopped before
        job = recording.write(job, progress.postponed(job, "held", 0.0), None, lessee)
    while job is not None:
        at.job, at.held = job, job.held
        job = _step_until_recorded(job, lessee, me)


def _count_a_crash(me: Identity, why: str) -> None:
    """Give up what we hold now, not when its lease ends: the third time a person looks at it."""
    until = time.monotonic() + BURIED_WITHIN_SECONDS
    while not claim.bury(me.id, shorten(why, MESSAGE_LIMIT)):
        if time.monotonic() > until:
            troubles.unsure = True
            return
        time.sleep(BURY_SECONDS)
    troubles.unsure = False


def _quarantined(held: Claimed, me: Identity, error: Exception) -> bool:
    """Park a run that the engine cannot digest, so that it takes no other with it; False if not even that works."""
    message = shorten(f"The engine could not go on: {_said(error)}", MESSAGE_LIMIT)
    failure = Failure(calling.UNDIGESTED, message, retryable=False)
    try:
        again = claim.reload(held.step, held.claim)
        return again is None or recording.park(again, failure, progress.QUARANTINED, me.lessee())
    except Exception as another:
        if is_outage(another):
            raise
        log.exception("run %s could not be put into quarantine", held.run)
        connection.close()
        return False


def _loaded(held: Claimed, lessee: Lessee) -> Job | None:
    """Read what a step needs. One that could not even be parked by way of its data is parked by its row alone."""
    if held.over:
        raise Over
    if held.crashes <= settings.MAX_CRASHES:
        return load(held)
    recording.park(held, calling.poison(held.crashes), progress.POISONED, lessee)
    return None


def _step_until_recorded(job: Job, lessee: Lessee, me: Identity) -> Job | None:
    """Bring the job one checkpoint further, from the beginning again when its branch moved before anything ran."""
    while True:
        try:
            return _step(job, lessee, me)
        except Moved:
            job = load(recording.reloaded(job.held))
        except Stale:
            raise Over from None
        except CursorTooLarge as error:
            failure = Failure("too_much_to_remember", str(error), retryable=False)
            recording.park(job.held, failure, progress.DEAD_LETTER, lessee)
            return None
        except Exception as error:
            if not gave_way(error):
                raise
            job = load(recording.reloaded(job.held))


def _step(job: Job, lessee: Lessee, me: Identity) -> Job | None:
    """Bring the job one checkpoint further; return the next job of the run when it is leased to us."""
    if job.held.over:
        raise Over
    if job.held.crashes >= settings.MAX_CRASHES and job.kind not in execution.CALLING and job.kind != "start":
        failure = calling.poison(job.held.crashes)
        return recording.write(job, progress.poisoned(job, failure, lessee), None, lessee)
    if steps.skips(job):
        return steps.skip(job, lessee)
    if job.kind == "start":
        result = steps.begin(job)
        if not _starts_with_call(result, lessee):
            return steps.begun(job, result, lessee)
        assert isinstance(result.command, CallFunction)  # noqa: S101 - for mypy
        job.become(result.command, result)
    if job.kind in execution.CALLING and job.function:
        return calling.call(job, lessee, me.heartbeat)
    return steps.STEPS[job.kind](job, lessee)


def _starts_with_call(result: Advance, lessee: Lessee) -> bool:
    """Tell whether a run begins with a call that can be executed at once, and with nothing beside it."""
    if not isinstance(result.command, CallFunction) or not lessee.keep() or result.armed:
        return False
    action = action_of(result.command)
    return action is None or not action.queue or lessee.serves(action.queue)


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


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
