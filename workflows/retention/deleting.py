"""Rounds of the chore: one batch of each definition after the other, until nothing is left or the time is over."""

import logging
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from psycopg import errors

from audit.recording import record
from workflows import draining
from workflows.retention import archive, picking
from workflows.retention.lines import lines
from workflows.retention.picking import START, Batch, Place
from workflows.retention.policy import Due, due
from workflows.retention.removal import remove
from workflows.sql import Statement

log = logging.getLogger(__name__)
SYSTEM = "system"
ROUND_SECONDS = 5.0
# Whoever holds something is not waited for; a disk that hangs does not keep the transaction open for ever.
_LIMITS = Statement(
    """
    SELECT set_config('lock_timeout', '3s', true),
        set_config('idle_in_transaction_session_timeout', '300s', true)
    """
)
GAVE_WAY = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
REFUSED = (IntegrityError, psycopg.IntegrityError)


class RunsKept(Exception):
    """Runs that are due could not be deleted; others were."""


def delete_due(seconds: float = ROUND_SECONDS, *, actor: str = SYSTEM, rest: bool = True) -> int:
    """Export and delete what has been kept for long enough; return how many runs went. Raises RunsKept, OSError.

    With `rest` it pauses after each batch for as long as that took: the workers come first.
    """
    until = time.monotonic() + seconds
    waiting: list[tuple[Due, Place]] = [(wanted, START) for wanted in due()]
    random.shuffle(waiting)  # a definition with much to delete does not keep the others waiting
    deleted, refused = 0, list[str]()
    while waiting and time.monotonic() < until and not draining.requested():
        began = time.monotonic()
        wanted, place = waiting.pop(0)
        count, following = _next_batch(wanted, place, actor, refused)
        deleted += count
        if following is not None:
            waiting.append((wanted, following))
        if rest and waiting:
            time.sleep(min(time.monotonic() - began, max(0.0, until - time.monotonic())))
    if refused:
        raise RunsKept("; ".join(refused))
    return deleted


def _next_batch(wanted: Due, place: Place, actor: str, refused: list[str]) -> tuple[int, Place | None]:
    """Delete a batch; return how many runs went and where to go on. A run that cannot be deleted keeps no other."""
    try:
        return _delete(wanted, place, actor, picking.MOST_RUNS)
    except GAVE_WAY as error:
        log.info("runs of %s are in use and wait for the next round: %s", wanted, str(error).strip())
        return 0, None
    except REFUSED as error:
        log.warning("runs of %s cannot be deleted together: %s", wanted, str(error).strip())
    return _one_by_one(wanted, place, actor, refused)


def _one_by_one(wanted: Due, place: Place, actor: str, refused: list[str]) -> tuple[int, Place | None]:
    deleted, following = 0, place
    for _ in range(picking.MOST_RUNS):
        try:
            count, behind = _delete(wanted, following, actor, 1)
            deleted += count
        except REFUSED as error:
            with transaction.atomic():
                root, behind = picking.skip(wanted, following)
            refused.append(f"run {root} of {wanted} cannot be deleted: {str(error).strip()}")
        if behind is None:
            return deleted, None
        following = behind
    return deleted, following


def _delete(wanted: Due, place: Place, actor: str, families: int) -> tuple[int, Place | None]:
    with transaction.atomic(), _archived() as keep:
        _LIMITS.rows()
        batch = picking.take(wanted, place, families)
        runs = batch.runs
        if runs:
            written = _export(wanted, runs)
            if written:
                keep.append(written)
            remove(runs)
            _record(wanted, batch, written, actor)
    return len(runs), batch.next


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
