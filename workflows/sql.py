"""Hand-written SQL for the hot path: named parameters, prepared on the server, on Django's own connection."""

import re
from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import connection

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


class Statement:
    """One SQL text with `:name` parameters, turned once into PostgreSQL's `$n` form."""

    def __init__(self, text: str) -> None:
        self.names: list[str] = []
        self.text = _PARAMETER.sub(self._number, text)

    def _number(self, match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in self.names:
            self.names.append(name)
        return f"${self.names.index(name) + 1}"

    def rows(self, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run it and return the rows; joins the open transaction, or commits by itself. Raises psycopg.Error.

        It is prepared unless the connection prepares nothing (`dotdo_site.pooling`).
        """
        given = values or {}
        with psycopg.RawCursor(_connection()) as cursor:
            cursor.execute(self.text, [given[n] for n in self.names], prepare=True)
            return cursor.fetchall() if cursor.description else []


def _connection() -> "psycopg.Connection[tuple[Any, ...]]":
    if connection.connection is None:
        connection.ensure_connection()
    raw: psycopg.Connection[tuple[Any, ...]] = connection.connection
    return raw
