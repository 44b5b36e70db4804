"""Drive a held step to its checkpoint, and on through its run while the lease and the time slice last.

Whatever goes wrong on the way has its own end: a lost lease drops the attempt, a run that is over closes the step, a
crash is counted, and what the engine cannot digest is parked. Outages alone are the caller's.
"""

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import connection, transaction

from actions.errors import MESSAGE_LIMIT, Failure, shorten
from workflows import calling, claim, closing, draining, execution, late, progress, pulse, recording, steps, superseding
from workflows.checkpoint import CursorTooLarge
from workflows.claim import Claimed
from workflows.engine.advance import Stale
from workflows.engine.messages import Advance, CallFunction
from workflows.execution import LeaseLost
from workflows.identity import Identity
from workflows.job import Job, action_of, load
from workflows.lessee import Lessee
from workflows.outage import gave_way, is_outage, troubles
from workflows.recording import Moved, Over

log = logging.getLogger(__name__)
SCARCE = (OSError, MemoryError)  # something is missing on this machine: it may be there the next time
BURIED_WITHIN_SECONDS, BURY_SECONDS = 1.0, 0.2  # a session that is dying may still hold the step


def drains() -> bool:
    """Tell whether this worker is to take no further step, with its cluster or alone."""
    return draining.requested() or pulse.drained()


class Drive:
    """What is held now, and what is known of it."""

    def __init__(self, held: Claimed, job: Job | None = None) -> None:
        self.held = held
        self.job = job

    def __str__(self) -> str:
        return f"step {self.held.key or self.held.name} of run {self.held.run}"


# Given what was just done, what follows and who asks: what to go on with alone, when there was company on the way.
Share = Callable[[Job, Job, Identity, Lessee], Job | None]


def drive(held: Claimed, me: Identity, until: float, share: Share | None = None) -> None:
    """Execute a held step and those that follow it in its run, as long as the time slice lasts."""
    lessee = me.lessee(keep=lambda: time.monotonic() < until and not drains())
    at = Drive(held)
    guarded(at, me, lambda: _go(at, me, lessee, share))


def guarded(at: Drive, me: Identity, act: Callable[[], None]) -> None:
    """Do something with what is held; whatever goes wrong is dealt with, but for outages."""
    try:
        try:
            act()
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


def _go(at: Drive, me: Identity, lessee: Lessee, share: Share | None) -> None:
    job = at.job = _loaded(at.held, lessee)
    if job is not None and at.held.stopped and not at.held.cut_off:  # back from a dead worker, or stopped before
        job = recording.write(job, progress.postponed(job, "held", 0.0), None, lessee)
    while job is not None:
        at.job, at.held = job, job.held
        job = _step_until_recorded(job, lessee, me)
        if job is not None and share is not None:
            job = share(at.job, job, me, lessee)


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
        if not starts_with_call(result, lessee):
            return steps.begun(job, result, lessee)
        assert isinstance(result.command, CallFunction)  # noqa: S101 - for mypy
        job.become(result.command, result)
    if job.kind in execution.CALLING and job.function:
        return calling.call(job, lessee, me.heartbeat)
    return steps.STEPS[job.kind](job, lessee)


def starts_with_call(result: Advance, lessee: Lessee) -> bool:
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
