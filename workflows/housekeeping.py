"""Work that belongs to no run: a process beside the workers that does each chore when it is due.

Every cluster has a housekeeper; of several, the one that moves `chore.next_at` does the round. A chore is safe to
repeat and does a bounded piece of its work: a housekeeper that dies in the middle costs one interval.
"""

import logging
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from audit import pruning, sealing
from workflows import draining, pulse, retention
from workflows.notifications import chores as notifying
from workflows.outage import AWAY
from workflows.sql import Statement

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
AWAY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do every so many seconds; asked anew each time, because settings decide it."""

    name: str
    every: Callable[[], float]
    do: Callable[[], object]


CHORES: tuple[Chore, ...] = (
    Chore("notices.watch", lambda: notifying.WATCH_SECONDS, notifying.watch),
    Chore("notices.send", lambda: notifying.SEND_SECONDS, notifying.send),
    Chore("audit.seal", lambda: min(60.0, settings.AUDIT_SEAL_SECONDS), sealing.seal_due),
    Chore("audit.prune", lambda: 3600.0, pruning.prune_due),
    Chore("retention.delete", lambda: 15.0, retention.delete_due),
    Chore("retention.tidy", lambda: 3600.0, retention.tidy),
)
_RESTING = Statement("SELECT name FROM chore WHERE next_at > now()")
_CLAIM = Statement(
    """
    INSERT INTO chore (name, next_at, began_at, error)
    VALUES (:name, clock_timestamp() + make_interval(secs => :seconds), clock_timestamp(), '')
    ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at, began_at = excluded.began_at
    WHERE chore.next_at <= now() RETURNING name
    """
)
_NOTE = Statement("UPDATE chore SET ended_at = clock_timestamp(), error = :error WHERE name = :name")


def run() -> None:
    """Do chores until the cluster drains or the supervising process is gone."""
    for number in (signal.SIGTERM, signal.SIGINT):  # the supervising process says when to stop
        signal.signal(number, signal.SIG_IGN)
    parent = os.getppid()
    while not draining.requested() and os.getppid() == parent:
        pulse.beat(pulse.Sign.HOUSEKEEPER)
        try:
            do_due()
        except AWAY as error:
            log.warning("the database is away, the chores wait: %s", str(error).strip())
            connection.close()
            time.sleep(random.uniform(0.5, 1.5) * AWAY_SECONDS)  # noqa: S311 - jitter
        time.sleep(LOOK_SECONDS)


def do_due(chores: tuple[Chore, ...] | None = None) -> list[str]:
    """Do one round of each chore that is due and that nobody else does; return their names."""
    done: list[str] = []
    resting = {name for (name,) in _RESTING.rows()}
    for chore in CHORES if chores is None else chores:
        if chore.name in resting or draining.requested():
            continue
        pulse.beat(pulse.Sign.HOUSEKEEPER)
        if _CLAIM.rows({"name": chore.name, "seconds": chore.every()}):
            _NOTE.rows({"name": chore.name, "error": _do(chore)})
            done.append(chore.name)
    return done


def _do(chore: Chore) -> str:
    """Do one round and return why it failed, if it did: other chores go on."""
    try:
        chore.do()
    except AWAY:
        raise
    except Exception as error:
        log.exception("the chore %s failed; it is tried again in %.0f s", chore.name, chore.every())
        return f"{type(error).__name__}: {error}"
    return ""
