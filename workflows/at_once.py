"""Several commands in one message to the server (its simple query protocol), on Django's own connection.

Each message costs a journey there and back, whatever it says. The first command that fails ends the message: what
stands behind it is not done.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from psycopg import errors, generators, pq

from workflows.sql import Statement

Raw = psycopg.Connection[tuple[Any, ...]]
Value = uuid.UUID | int

_NUMBER = re.compile(r"\$([0-9]+)")
_names: "WeakKeyDictionary[Raw, dict[str, str]]" = WeakKeyDictionary()


class Opening(Statement):
    """A statement that a transaction begins with; the server plans it once for each connection."""

    def begin(self, values: Mapping[str, Value], *others: str) -> int:
        """Begin the transaction that Django has open, run this and then the others; return how many rows this found.

        Raises psycopg.Error.
        """
        raw: Raw = connection.connection
        if raw.pgconn.transaction_status != pq.TransactionStatus.IDLE:  # a transaction around this one has begun it
            return self._rows(_send(raw, self._written_out(values), *others))
        if raw.prepare_threshold is None:
            return self._rows(_send(raw, "BEGIN", self._written_out(values), *others)[1:])
        try:
            return self._rows(_send(raw, "BEGIN", self._executed(raw, values), *others)[1:])
        except errors.InvalidSqlStatementName:  # psycopg deallocates all there are after a ROLLBACK; nothing was done
            del _names[raw]
            _send(raw, "ROLLBACK")
            return self._rows(_send(raw, "BEGIN", self._executed(raw, values), *others)[1:])

    def _executed(self, raw: Raw, values: Mapping[str, Value]) -> str:
        names = _names.setdefault(raw, {})
        if self.text not in names:
            name = f"opening_{len(names)}"
            _checked(raw.pgconn.prepare(name.encode(), self.text.encode()))
            names[self.text] = name
        return f"EXECUTE {names[self.text]} ({', '.join(self._literals(values))})"

    def _written_out(self, values: Mapping[str, Value]) -> str:
        literals = self._literals(values)
        return _NUMBER.sub(lambda match: literals[int(match.group(1)) - 1], self.text)

    def _literals(self, values: Mapping[str, Value]) -> list[str]:
        return [f"'{values[name]}'" for name in self.names]  # ids and numbers: nothing to escape

    def _rows(self, results: list[pq.abc.PGresult]) -> int:
        return results[0].ntuples


def send(*commands: str) -> list[pq.abc.PGresult]:
    """Send commands, which are constants or written by us, and return what came of each. Raises psycopg.Error."""
    return _send(connection.connection, *commands)


def _send(raw: Raw, *commands: str) -> list[pq.abc.PGresult]:
    raw.pgconn.send_query("; ".join(commands).encode())
    # This wait, unlike libpq's own, keeps neither other threads nor signals waiting.
    return [_checked(result) for result in raw.wait(generators.execute(raw.pgconn))]


def _checked(result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise errors.error_from_result(result)
    return result
