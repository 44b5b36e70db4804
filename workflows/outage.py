"""Errors of the database that are nobody's fault: it is away, it takes no writes, or it gave way to somebody else."""

import random

from psycopg import errors

from dotdo_site.lib.database_errors import DISK_FULL, LOCK_NOT_AVAILABLE, OPERATIONAL, READ_ONLY, sqlstate

AWAY = (
    *OPERATIONAL,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
LOST = ("08", "57P")  # SQLSTATEs of a connection that broke, and of a session that the server ended
FIRST_SECONDS, LONGEST_SECONDS = 0.1, 0.8


def is_away(error: Exception) -> bool:
    """Tell whether the connection is lost or none is to be had.

    A limit that a statement met, of time, locks or room, is its own trouble: it meets it again next time.
    """
    state = sqlstate(error)
    return isinstance(error, OPERATIONAL) and (not state or state.startswith(LOST))


def gave_way(error: Exception) -> bool:
    """Tell whether a deadlock or a conflict was broken up: nothing is lost, and it is tried again in place."""
    return isinstance(error.__cause__ or error, errors.DeadlockDetected | errors.SerializationFailure)


def not_now(error: Exception) -> bool:
    """Tell whether the server answers and cannot take this now: a lock is held for long, its disk is full, a standby."""
    return sqlstate(error) in {LOCK_NOT_AVAILABLE, DISK_FULL, READ_ONLY}


def pause(asked: int) -> float:
    """Return the seconds to wait for the database when it has been asked so often in vain; nothing the first time.

    A connection that went stale is replaced at once. Never so long that a restart costs more than a second.
    """
    if asked == 0:
        return 0.0
    longest: float = min(FIRST_SECONDS * 2 ** (asked - 1), LONGEST_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
