"""What the database means by an error: by its SQLSTATE, however Django or psycopg wrap it."""

import django.db
import psycopg

DISK_FULL = "53100"
READ_ONLY = "25006"
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK = "40P01"
# Not among the operational errors of psycopg, and yet nobody's fault: a standby, or a session that the server ended.
ENDS_BY_ITSELF = {READ_ONLY, "25P03", "25P04"}
OPERATIONAL = (
    django.db.OperationalError,
    django.db.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)


def sqlstate(error: BaseException) -> str:
    """Return the five letters that the server gave for an error; nothing when it did not come from the server."""
    return getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None) or ""


def is_outage(error: BaseException) -> bool:
    """Tell whether the database is away, overloaded or takes no writes: repeating helps once that has passed."""
    return isinstance(error, OPERATIONAL) or sqlstate(error) in ENDS_BY_ITSELF or _is_of_libpq(error)


def _is_of_libpq(error: BaseException) -> bool:
    """Tell whether libpq itself ended the statement, for want of a server: psycopg then knows no better class."""
    return psycopg.DatabaseError in (type(error), type(error.__cause__)) and not sqlstate(error)
