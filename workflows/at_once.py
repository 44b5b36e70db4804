"""Several commands in one message to the server (its simple query protocol), on Django's own connection.

Each message costs a journey there and back, whatever it says. The first command that fails ends the message: what
stands behind it is not done.
"""

import itertools
import re
import uuid
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from psycopg import errors, generators, pq

from workflows.sql import Statement, checked

Raw = psycopg.Connection[tuple[Any, ...]]
Value = uuid.UUID | int

_NUMBER = re.compile(r"\$([0-9]+)")
_numbers = itertools.count()
_names: "WeakKeyDictionary[Raw, dict[str, str]]" = WeakKeyDictionary()


class Opening(Statement):
    """A statement that a transaction begins with; the server plans it once for each connection."""

    def begin(self, values: Mapping[str, Value], *others: str) -> int:
        """Begin the transaction that Django has open, run this and then the others; return how many rows this found.

        Raises psycopg.Error.
        """
        raw: Raw = connection.connection
        if raw.pgconn.transaction_status != pq.TransactionStatus.IDLE:  # a transaction around this one has begun it
            return _send(raw, self._written_out(values), *others)[0].ntuples
        found = None if raw.prepare_threshold is None else self._executed(raw, values, *others)
        if found is None:
            found = _send(raw, "BEGIN", self._written_out(values), *others)[1].ntuples
        return found

    def _executed(self, raw: Raw, values: Mapping[str, Value], *others: str) -> int | None:
        """Begin with the prepared statement; None, nothing begun, when the server knows none of this name.

        After a ROLLBACK psycopg deallocates all there are. A pooler that keeps track of them gives them other names:
        then one that has just been prepared is unknown, and none is tried again.
        """
        names = _names.setdefault(raw, {})
        new = self.text not in names
        if new:
            names[self.text] = _prepared(raw, self.text)
        if not names[self.text]:
            return None
        try:
            execute = f"EXECUTE {names[self.text]} ({', '.join(self._literals(values))})"
            return _send(raw, "BEGIN", execute, *others)[1].ntuples
        except errors.InvalidSqlStatementName:
            _send(raw, "ROLLBACK")
            del names[self.text]
            if new:
                names[self.text] = ""
            return None

    def _written_out(self, values: Mapping[str, Value]) -> str:
        literals = self._literals(values)
        return _NUMBER.sub(lambda match: literals[int(match.group(1)) - 1], self.text)

    def _literals(self, values: Mapping[str, Value]) -> list[str]:
        return [f"'{values[name]}'" for name in self.names]  # ids and numbers: nothing to escape


def send(*commands: str) -> list[pq.abc.PGresult]:
    """Send commands, which are constants or written by us, and return what came of each. Raises psycopg.Error."""
    return _send(connection.connection, *commands)


def _send(raw: Raw, *commands: str) -> list[pq.abc.PGresult]:
    raw.pgconn.send_query("; ".join(commands).encode())
    # This wait, unlike libpq's own, keeps neither other threads nor signals waiting.
    return [checked(result, raw.pgconn) for result in raw.wait(generators.execute(raw.pgconn))]


def _prepared(raw: Raw, text: str) -> str:
    name = f"opening_{next(_numbers)}"
    checked(raw.pgconn.prepare(name.encode(), text.encode()), raw.pgconn)
    return name
