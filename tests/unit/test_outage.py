"""What counts as a database that is away, and what is the trouble of one statement."""

from types import SimpleNamespace

import django.db
import psycopg
import pytest
from psycopg import errors

from workflows.outage import Troubles, is_away, is_outage


def wrapped(cause: Exception) -> django.db.OperationalError:
    error = django.db.OperationalError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "cause",
    [
        psycopg.OperationalError("the connection is closed"),
        psycopg.DatabaseError("server closed the connection unexpectedly"),
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


def test_a_limit_that_is_met_again_and_again_is_waited_for_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("workflows.outage.time", SimpleNamespace(sleep=slept.append))  # other threads sleep as they do
    monkeypatch.setattr("workflows.outage.random.uniform", lambda _, most: most)
    troubles = Troubles()
    for _ in range(7):
        troubles.wait(wrapped(errors.LockNotAvailable()))
    assert slept == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0]
    troubles.over()
    troubles.wait(wrapped(errors.AdminShutdown()))
    assert slept[-1] == 0.0, "what worked in between makes it a new one"


@pytest.mark.parametrize(
    "cause", [errors.ReadOnlySqlTransaction(), errors.IdleInTransactionSessionTimeout(), errors.TransactionTimeout()]
)
def test_an_error_that_the_orm_calls_internal_is_an_outage_all_the_same(cause: Exception) -> None:
    error = django.db.InternalError(str(cause))
    error.__cause__ = cause
    assert is_outage(cause)
    assert is_outage(error)
