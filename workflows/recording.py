"""Record the end of a step: what the engine said, what it means for other branches and runs, in one commit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from actions.errors import Failure
from workflows import (
    checkpoint,
    claim,
    closing,
    compensating,
    crossing,
    cutting,
    payloads,
    progress,
    rules,
    settling,
    wake,
)
from workflows.checkpoint import UNCHANGED, Progress, RunWrite, Taking, Written
from workflows.claim import Claimed
from workflows.engine.messages import Advance, Continue, Park
from workflows.execution import LeaseLost
from workflows.job import Job, follow, load
from workflows.lessee import Happened, Lessee
from workflows.operations import undoing

ENDS = ("succeeded", "cancelled", "failed")


class Moved(Exception):
    """The branch moved under a checkpoint: nothing was written; read it again and apply the message again."""


class Over(Exception):
    """The run ended, or the scope of the step was left, while it was running: its result is dropped."""


def succeeded(job: Job, happened: Happened, result: Advance, lessee: Lessee) -> Job | None:
    """Record that the held step is done. Raises Moved, Over."""
    result = compensating.settled(job, result)
    left = crossing.left(job, result.command.error) if isinstance(result.command, Park) else None
    return write(job, progress.succeeded(job, happened, result, lessee, left=left), result, lessee)


def listened(job: Job, result: Advance, messages: list[int], lessee: Lessee) -> Job | None:
    """Record that the held listen has all it wanted. Raises Moved, Over."""
    left = crossing.left(job, result.command.error) if isinstance(result.command, Park) else None
    wanted = progress.succeeded(job, Happened(), result, lessee, left=left)
    wanted.messages, wanted.listens = messages, True
    return write(job, wanted, result, lessee)


def failed(job: Job, happened: Happened, result: Advance, lessee: Lessee) -> Job | None:
    """Record that the held step failed for good: caught, or the run is parked on it. Raises Moved, Over."""
    assert happened.failure is not None  # noqa: S101 - for mypy
    if not isinstance(result.command, Park):
        result = compensating.settled(job, result)
        return write(job, progress.caught(job, happened, result, lessee), result, lessee)
    left = crossing.left(job, result.command.error)
    if left is not None:
        return write(job, progress.caught(job, happened, result, lessee, left=left), result, lessee)
    reason = progress.REASONS.get(happened.failure.code, progress.DEAD_LETTER)
    return write(job, progress.parked(job, happened, result.command, reason, lessee), result, lessee)


def write(job: Job, wanted: Progress, result: Advance | None, lessee: Lessee) -> Job | None:
    """Write a checkpoint and return the job that follows it under the same lease. Raises Moved, LeaseLost, Over."""
    if alone(job, wanted, result):
        written = _checkpoint(job, wanted, _taking(wanted, lessee))
    else:
        with transaction.atomic():
            written = _with_others(job, wanted, result, lessee)
    if written.taken is not None:
        lessee.took(written.taken)
    return followed(job, wanted, result, written)


def followed(job: Job, wanted: Progress, result: Advance | None, written: Written) -> Job | None:
    """Return the job behind a checkpoint that was written, if this worker has its lease; wake others for the rest."""
    if wanted.branches or wanted.closed or wanted.woken:
        wake.workers()
    following = next((step for step in wanted.next if step.worker is not None), None)
    if following is None:
        return None
    held = checkpoint.held_after(job.held, wanted, following, written)
    return follow(job, held, following.input, result, _context(job, wanted, result, written))


def alone(job: Job, wanted: Progress, result: Advance | None) -> bool:
    """Tell whether the checkpoint concerns nothing but its own branch: the usual case, one statement."""
    _note_what_was_seen(job, wanted.run)
    held, run = job.held, wanted.run
    if job.chosen or _leaves(job, wanted, result):
        return False
    if held.branch_parent is not None and (wanted.rest or held.rest or wanted.closed):
        return False
    if run is None or run.state not in ENDS:
        return True
    return held.parent_step is None and _nothing_else(job, wanted, run)


@contextmanager
def undisturbed(job: Job) -> Iterator[None]:
    """Decide and write in one transaction that holds the run and its open branches."""
    with transaction.atomic():
        if job.held.parent_step is not None:
            wake.lock(job.held.parent_step)
        cutting.lock(job.held.run)
        yield


def park(held: Claimed, failure: Failure, reason: str, lessee: Lessee) -> bool:
    """Park the run on a held step whose data cannot be read or written: by its row alone. False if it moved."""
    with transaction.atomic():
        if held.parent_step is not None:
            wake.lock(held.parent_step)
        cutting.lock(held.run)
        if not closing.park(held, failure, reason, lessee):
            return False
        cutting.hold_others(held.run, held.branch)
        if held.parent_step is not None:
            wake.step(held.parent_step)
    return True


def refresh(job: Job) -> None:
    """Read the moved branch again; the step itself is still ours. A first call keeps the cursor that led to it."""
    again = reloaded(job.held)
    fresh = load(again)
    if job.held.kind != "start":
        job.cursor, job.context = fresh.cursor, fresh.context
    elif job.held.branch_parent is not None and not again.over:  # another branch may have exported meanwhile
        first = fresh.advance(Continue())
        job.context = first.context if getattr(first.command, "key", "") == job.key else fresh.context
    job.stored_context = fresh.stored_context
    job.held, job.read_at, job.chosen = again, time.monotonic(), []


def reloaded(held: Claimed) -> Claimed:
    """Return the held step as it is now. Raises LeaseLost."""
    again = claim.reload(held.step, held.claim)
    if again is None:
        raise LeaseLost
    return again


def _note_what_was_seen(job: Job, run: RunWrite | None) -> None:
    """An export is made again if another branch changed meanwhile what it was made from.

    The branch around a fork moves on while others are open by a deadline, or behind the one that decided.
    """
    beside = job.held.branch_parent is not None or job.held.kind in ("timer", "join")
    if run is not None and run.context is not UNCHANGED and beside:
        run.seen_context = job.stored_context


def _context(job: Job, wanted: Progress, result: Advance | None, written: Written) -> Any:
    """Return the context for the next step: what another branch exported meanwhile is seen by it."""
    own = job.context if result is None else result.context
    exported = wanted.run is not None and wanted.run.context is not UNCHANGED
    if exported or written.context is UNCHANGED or written.context == job.held.context:
        return own
    return payloads.resolve(written.context, payloads.load(job.held.run, [written.context]))


def _nothing_else(job: Job, wanted: Progress, run: RunWrite) -> bool:
    """Tell whether a run that ends or is parked has nothing open but the branch that says so."""
    cursors = (job.cursor, wanted.cursor)  # what begins on the way to a fault is open as well
    others = set(progress.open_keys(*cursors)) - {job.key} or any(cursor.get("timer") for cursor in cursors)
    return not (job.held.branch_parent or others or (run.state == "failed" and job.program.on_fault == "undo"))


def _leaves(job: Job, wanted: Progress, result: Advance | None) -> bool:
    """Tell whether the checkpoint leaves what may have branches or runs of its own."""
    cut = result is not None and any(key != job.key for key in result.cut)
    given_up = wanted.closed is not None and wanted.closed.error is not None and len(wanted.over) > 0
    return cut or given_up or wanted.step.caught or job.held.kind == "join"


def _with_others(job: Job, wanted: Progress, result: Advance | None, lessee: Lessee) -> Written:
    """Write a checkpoint with all it means for other branches and runs, in the open transaction."""
    held, actor = job.held, f"worker:{lessee.id}"
    _lock(job, wanted, result)
    if not compensating.stands(job):
        raise Moved
    written = _checkpoint(job, wanted)
    if result is not None:
        given_up = wanted.over if wanted.closed is not None else ()
        cutting.end_leaves(held.run, [key for key in [*result.cut, *given_up] if key != job.key], actor=actor)
    if wanted.step.caught or (held.kind == "join" and wanted.step.state in ("succeeded", "skipped")):
        cutting.end_step(held.run, held.step, job.kind, job.function, actor=actor)
    run = wanted.run
    if run is not None and run.reason == rules.UNDONE:
        cutting.end_others(held.run, held.branch, actor=actor)
    elif run is not None and run.state in ENDS and not _nothing_else(job, wanted, run):
        _end_or_hold_others(job, run, actor)
    elif held.branch_parent is not None:
        settling.settle(held.run)
    if run is not None and run.state in ENDS and held.parent_step is not None:
        wake.step(held.parent_step)
    return written


def _end_or_hold_others(job: Job, run: RunWrite, actor: str) -> None:
    held = job.held
    if run.state == "succeeded":
        cutting.end_others(held.run, held.branch, actor=actor)
    elif run.state == "failed":
        cutting.hold_others(held.run, held.branch)
        if job.program.on_fault == "undo" and run.reason != progress.UNDO_FAILED:
            undoing.undo_after_fault(held.run, run.error, actor=actor)


def _lock(job: Job, wanted: Progress, result: Advance | None) -> None:
    """Lock what the checkpoint will touch, from the top down. A branch that only ends or rests leaves the others be."""
    held, run = job.held, wanted.run
    ends = run is not None and run.state in ENDS
    if held.parent_step is not None and ends:
        wake.lock(held.parent_step)  # before our own run: who ends a step's children holds the step already
    if job.chosen or _leaves(job, wanted, result) or (run is not None and ends and not _nothing_else(job, wanted, run)):
        cutting.lock(held.run)
    else:
        settling.lock(held.run)


def _taking(wanted: Progress, lessee: Lessee) -> Taking | None:
    """Return where the checkpoint claims the worker's next step: it commits by itself, and nothing follows it here.

    Not where it writes other steps, which it may find locked by somebody who wants the one that it claims.
    """
    goes_on = any(step.worker is not None for step in wanted.next)
    if goes_on or wanted.over or wanted.woken or wanted.closed or connection.in_atomic_block or not lessee.keep():
        return None
    place = lessee.ahead()
    return Taking(*place, lessee.id) if place is not None else None


def _checkpoint(job: Job, wanted: Progress, taking: Taking | None = None) -> Written:
    written = checkpoint.write(job.held, wanted, settings.LEASE_SECONDS, taking)
    if written is None:
        raise Over if reloaded(job.held).over else Moved
    return written
