"""Rounds of the chore: one batch of each definition after the other, until nothing is left or the time is over."""

import logging
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone
from psycopg import errors

from audit.recording import record
from dotdo_site.lib import signs
from workflows import draining
from workflows.retention import archive, picking
from workflows.retention.lines import lines
from workflows.retention.passes import Pass, Passes
from workflows.retention.picking import Batch
from workflows.retention.policy import Due, due, policy
from workflows.retention.removal import remove
from workflows.sql import Statement

log = logging.getLogger(__name__)
SYSTEM = "system"
ROUND_SECONDS = 5.0
# Whoever holds something is not waited for; a disk that hangs does not keep the transaction open for ever. A run may
# have 100,000 steps, but a statement ends before the housekeeper is taken for stuck.
_LIMITS = Statement(
    """
    SELECT set_config('lock_timeout', '3s', true),
        set_config('idle_in_transaction_session_timeout', '300s', true),
        set_config('statement_timeout', '300s', true)
    """
)
GAVE_WAY = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
REFUSED = (IntegrityError, psycopg.IntegrityError, errors.QueryCanceled)
FAILED = (psycopg.Error, DatabaseError)
_passes = Passes()


class RunsKept(Exception):
    """Runs that are due could not be deleted; others were."""


def delete_round() -> int:
    """Do one round of the chore, going on where the last one of this process was."""
    return delete_due(passes=_passes)


def delete_due(
    seconds: float = ROUND_SECONDS, *, actor: str = SYSTEM, rest: bool = True, passes: Passes | None = None
) -> int:
    """Export and delete what has been kept for long enough; return how many runs went. Raises RunsKept, OSError.

    With `rest` it pauses after each batch for as long as that took: the workers come first. Without `passes` it looks
    at everything.
    """
    until = time.monotonic() + seconds
    passes = passes or Passes()
    found_due = due()
    passes.follow(policy(), {wanted.id for wanted in found_due})
    waiting = [(wanted, passes.of(wanted.id)) for wanted in found_due]
    random.shuffle(waiting)  # a definition with much to delete does not keep the others waiting
    deleted = 0
    while waiting and time.monotonic() < until and not draining.requested():
        began = time.monotonic()
        wanted, found = waiting.pop(0)
        signs.give()
        count, more = _next_batch(wanted, found, actor, until)
        deleted += count
        if more:
            waiting.append((wanted, found))
        if rest and waiting:
            time.sleep(min(time.monotonic() - began, max(0.0, until - time.monotonic())))
    if refused := passes.refused():
        raise RunsKept(refused)
    return deleted


def _next_batch(wanted: Due, found: Pass, actor: str, until: float) -> tuple[int, bool]:
    """Delete a batch; return how many runs went and whether to go on. A run that cannot be deleted keeps no other."""
    try:
        return _delete(wanted, found, actor, picking.MOST_RUNS)
    except FAILED as error:
        if _is(error, GAVE_WAY):
            log.info("runs of %s are in use and wait for the next round: %s", wanted, str(error).strip())
            return 0, False
        if not _is(error, REFUSED):
            raise
        log.warning("runs of %s cannot be deleted together: %s", wanted, str(error).strip())
    return _one_by_one(wanted, found, actor, until)


def _one_by_one(wanted: Due, found: Pass, actor: str, until: float) -> tuple[int, bool]:
    deleted, more = 0, True
    for number in range(picking.MOST_RUNS):
        if not more or (number and time.monotonic() > until):
            break
        signs.give()
        try:
            count, more = _delete(wanted, found, actor, 1)
            deleted += count
        except FAILED as error:
            if _is(error, GAVE_WAY):
                return deleted, False
            if not _is(error, REFUSED):
                raise
            more = _skip(wanted, found, str(error).strip())
    return deleted, more


def _is(error: Exception, kinds: tuple[type[Exception], ...]) -> bool:
    """Tell what an error of the database is, also where Django has wrapped it."""
    return isinstance(error, kinds) or isinstance(error.__cause__, kinds)


def _skip(wanted: Due, found: Pass, why: str) -> bool:
    with transaction.atomic():
        _LIMITS.rows()
        root, batch = picking.skip(wanted, found.place)
    if root is not None:
        found.refused[root] = f"run {root} of {wanted} cannot be deleted: {why}"
    return _went(found, batch)


def _delete(wanted: Due, found: Pass, actor: str, families: int) -> tuple[int, bool]:
    with transaction.atomic(), _archived() as keep:
        _LIMITS.rows()
        batch = picking.take(wanted, found.place, families)
        runs = batch.runs
        if runs:
            written = _export(wanted, runs)
            if written:
                keep.append(written)
            remove(runs)
            _record(wanted, batch, written, actor)
    return len(runs), _went(found, batch)


def _went(found: Pass, batch: Batch) -> bool:
    """Note how far a pass is; tell whether it goes on."""
    found.place, found.ended = batch.next, batch.last
    return not batch.last


@contextmanager
def _archived() -> Iterator[list[archive.Written]]:
    """Keep what was written if everything after it succeeds, right before the commit; otherwise take it away."""
    written: list[archive.Written] = []
    try:
        yield written
        for file in written:
            file.keep()
    except BaseException:
        for file in written:
            file.discard()
        raise


def _export(wanted: Due, runs: list[uuid.UUID]) -> archive.Written | None:
    if not settings.RETENTION_EXPORT:
        return None
    connection.ensure_connection()
    return archive.write(settings.RETENTION_DIR, f"{wanted.kind}-{wanted.name}", timezone.now(), lines(runs))


def _record(wanted: Due, batch: Batch, written: archive.Written | None, actor: str) -> None:
    ended = [family.ended for family in batch.families]
    data = {
        "definition": f"{wanted.kind}:{wanted.name}",
        "runs": len(batch.runs),
        "families": len(batch.families),
        "oldest": min(ended).isoformat(),
        "newest": max(ended).isoformat(),
        "days": wanted.days,
        "file": written.name if written else None,
        "sha256": written.sha256 if written else None,
    }
    record(chain=wanted.id, kind="retention.deleted", actor=actor, data=data)
