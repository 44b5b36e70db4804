"""Errors of the database that are nobody's fault: it is away, or it gave way to somebody else."""

import psycopg
from django.db import InterfaceError, OperationalError
from psycopg import errors

AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


def gave_way(error: Exception) -> bool:
    """Tell whether a deadlock or a conflict was broken up: nothing is lost, and it is tried again in place."""
    return isinstance(error.__cause__ or error, errors.DeadlockDetected | errors.SerializationFailure)
