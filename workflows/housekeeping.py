"""Work that belongs to no run: a process beside the workers that does each chore when it is due.

Every cluster has a housekeeper; of several, the one that moves `chore.next_at` does the round. A chore is safe to
repeat and does a bounded piece of its work: a housekeeper that dies in the middle costs one interval.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from audit import pruning, sealing
from workflows import asked_verifications, batches, draining, retention
from workflows.grouping import chores as grouping
from workflows.notifications import chores as notifying
from workflows.outage import is_away
from workflows.rollups import chores as rolling
from workflows.sql import Statement

log = logging.getLogger(__name__)
LEEWAY_SECONDS = 5.0  # what is due later than its interval from now was claimed while the server's clock was wrong


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do every so many seconds; asked anew each time, because settings decide it."""

    name: str
    every: Callable[[], float]
    do: Callable[[], object]


CHORES: tuple[Chore, ...] = (
    Chore("notices.watch", lambda: notifying.WATCH_SECONDS, notifying.watch),
    Chore("notices.send", lambda: notifying.SEND_SECONDS, notifying.send),
    Chore("failures.group", grouping.group_every, grouping.group),
    Chore("failures.tidy", lambda: grouping.TIDY_SECONDS, grouping.tidy),
    Chore("batches.work", lambda: 1.0, batches.work),
    Chore("audit.seal", lambda: min(60.0, settings.AUDIT_SEAL_SECONDS), sealing.seal_due),
    Chore("audit.prune", lambda: 3600.0, pruning.prune_due),
    # A lane of its own: a long trail takes its time, and sealing must not wait for it.
    Chore("verification.do", lambda: asked_verifications.EVERY_SECONDS, asked_verifications.do_asked),
    Chore("retention.delete", lambda: 15.0, retention.delete_round),
    Chore("retention.tidy", lambda: 3600.0, retention.tidy),
    Chore("rollups.count", rolling.count_every, rolling.count),
    Chore("rollups.sample", rolling.sample_every, rolling.sample),
    Chore("rollups.tidy", lambda: rolling.TIDY_SECONDS, rolling.tidy),
)
_NEXT = Statement("SELECT name, extract(epoch FROM next_at - clock_timestamp())::float8 FROM chore")
# Bookkeeping waits for no disk: after a crash of the server a chore is done once more. What it did itself is safe.
_CLAIM = Statement(
    """
    INSERT INTO chore (name, next_at, began_at, error)
    SELECT :name, clock_timestamp() + make_interval(secs => :seconds), clock_timestamp(), ''
    FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at, began_at = excluded.began_at
    WHERE chore.next_at <= now() OR chore.next_at > clock_timestamp() + make_interval(secs => :too_far)
    RETURNING name
    """
)
_NOTE = Statement(
    """
    UPDATE chore SET ended_at = clock_timestamp(), error = :error
    FROM set_config('synchronous_commit', 'off', true) WHERE name = :name
    """
)


def do_due(chores: tuple[Chore, ...] | None = None, begin: Callable[[Chore], None] = lambda _: None) -> list[str]:
    """Do one round of each chore that is due and that nobody else does; return their names.

    `begin` hears of each before. Raises what says that the database is away.
    """
    done: list[str] = []
    left = dict(_NEXT.rows())
    for chore in CHORES if chores is None else chores:
        every = chore.every()
        too_far = every + LEEWAY_SECONDS
        if 0 < left.get(chore.name, 0) <= too_far or draining.requested():
            continue
        begin(chore)
        if _CLAIM.rows({"name": chore.name, "seconds": every, "too_far": too_far}):
            _NOTE.rows({"name": chore.name, "error": _do(chore)})
            done.append(chore.name)
    return done


def _do(chore: Chore) -> str:
    """Do one round and return why it failed, if it did: others go on. Raises what says that the database is away."""
    try:
        chore.do()
    except Exception as error:
        if is_away(error):
            raise
        log.exception("the chore %s failed; it is tried again in %.0f s", chore.name, chore.every())
        if connection.connection is not None and connection.connection.closed:  # the server ended the session
            connection.close()
        return f"{type(error).__name__}: {error}"
    return ""
