"""What counts as a database that is away, and what is the trouble of one statement."""

import django.db
import psycopg
import pytest
from psycopg import errors

from workflows.outage import is_away


def wrapped(cause: Exception) -> django.db.OperationalError:
    error = django.db.OperationalError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "cause",
    [
        psycopg.OperationalError("the connection is closed"),
        errors.ConnectionFailure(),
        errors.ProtocolViolation(),
        errors.AdminShutdown(),
        errors.CrashShutdown(),
        errors.CannotConnectNow(),
    ],
)
def test_a_lost_connection_is_an_absence_of_the_database(cause: Exception) -> None:
    assert is_away(cause)
    assert is_away(wrapped(cause))


@pytest.mark.parametrize(
    "cause",
    [
        errors.QueryCanceled(),
        errors.LockNotAvailable(),
        errors.DiskFull(),
        errors.OutOfMemory(),
        errors.DeadlockDetected(),
    ],
)
def test_a_limit_that_a_statement_met_is_not(cause: Exception) -> None:
    assert not is_away(cause)
    assert not is_away(wrapped(cause))


def test_any_other_error_is_not() -> None:
    assert not is_away(ValueError("the broom is broken"))
