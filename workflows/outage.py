"""What a process does about a database that is away, takes no writes, or gave way to somebody else.

None of it is anybody's fault. `is_outage` has the errors; what else is asked here is how to go on after one.
"""

import logging
import random
import time

from django.db import connection
from psycopg import errors

from dotdo_site.lib.database_errors import DISK_FULL, LOCK_NOT_AVAILABLE, READ_ONLY, is_outage, sqlstate
from workflows import epoch

__all__ = ["Troubles", "gave_way", "is_away", "is_outage", "pause", "takes_nothing_now"]
log = logging.getLogger(__name__)
LOST = ("08", "57P")  # SQLSTATEs of a connection that broke, and of a session that the server ended
FIRST_SECONDS, LONGEST_SECONDS = 0.1, 0.8
PATIENT_SECONDS = 3.0  # a lock that is held for long, or a disk that is full: asking more often only adds to it


def is_away(error: Exception) -> bool:
    """Tell whether the connection is lost or none is to be had.

    A limit that a statement met, of time, locks or room, is its own trouble: it meets it again next time.
    """
    state = sqlstate(error)
    return is_outage(error) and (not state or state.startswith(LOST))


def gave_way(error: Exception) -> bool:
    """Tell whether a deadlock or a conflict was broken up: nothing is lost, and it is tried again in place."""
    return isinstance(error.__cause__ or error, errors.DeadlockDetected | errors.SerializationFailure)


def takes_nothing_now(error: Exception) -> bool:
    """Tell whether the server answers and takes nothing now: a lock is held for long, its disk is full, a standby."""
    return sqlstate(error) in {LOCK_NOT_AVAILABLE, DISK_FULL, READ_ONLY}


def pause(asked: int, longest: float = LONGEST_SECONDS) -> float:
    """Return the seconds to wait for the database when it has been asked so often in vain; nothing the first time.

    A connection that went stale is replaced at once. Never so long that a restart costs more than a second.
    """
    if asked == 0:
        return 0.0
    seconds: float = min(FIRST_SECONDS * 2 ** (asked - 1), longest)
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


class Troubles:
    """What a worker has gone through since it last recorded something.

    `unsure`: whether a COMMIT arrived, and with it what is held, only the rows know.
    """

    def __init__(self) -> None:
        self.unsure = False
        self._in_a_row = 0

    def wait(self, error: Exception) -> None:
        """Give up the connection and wait, longer each time until `over`."""
        away = is_away(error)
        log.warning("the database %s: %s", "went away" if away else "stopped a statement", str(error).strip())
        connection.close()
        epoch.forget()
        self.unsure = True
        time.sleep(pause(self._in_a_row, PATIENT_SECONDS if takes_nothing_now(error) else LONGEST_SECONDS))
        self._in_a_row += 1

    def over(self) -> None:
        """Note that something was recorded."""
        self._in_a_row = 0


troubles = Troubles()  # of this process's worker
