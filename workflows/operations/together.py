"""All of an operation, or nothing of it; tried again where the database gave way to somebody else."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import psycopg
from django.db import OperationalError, connection, transaction

from workflows.outage import gave_way

P = ParamSpec("P")
T = TypeVar("T")
ATTEMPTS = 4


def in_one_transaction(operation: Callable[P, T]) -> Callable[P, T]:
    """Run the operation in one transaction, again after a deadlock. Inside an open transaction, that one decides."""

    @wraps(operation)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with transaction.atomic():
                    return operation(*args, **kwargs)
            except (OperationalError, psycopg.OperationalError) as error:  # `Statement` hands on what psycopg raises
                if connection.in_atomic_block or attempt == ATTEMPTS or not gave_way(error):
                    raise
        raise AssertionError("unreachable")

    return wrapped
