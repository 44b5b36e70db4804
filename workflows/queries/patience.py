"""A limit for reads whose cost depends on what a person asks for: they are given up rather than waited for."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import OperationalError, connection, transaction


class TooSlow(Exception):
    """The question would have taken too long to answer: ask for less."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give each statement of the block so many seconds. Raises TooSlow."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"])
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise TooSlow from error
        raise
