"""Hand-written SQL for the hot path: named parameters, prepared on the server, on Django's own connection.

A `Statement` goes through psycopg's cursor. A `Hot` one, sent for every step, goes to libpq itself: that takes a third
of the processor time, which the cursor spends on choosing types and on describing what comes back.
"""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import errors, pq
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader, PyFormat, Transformer

PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_ANSWERED = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
_IDLE = pq.TransactionStatus.IDLE
_numbers = count()

Row = tuple[Any, ...]


class Statement:
    """One SQL text with `:name` parameters, turned once into PostgreSQL's `$n` form."""

    def __init__(self, text: str) -> None:
        self.names: list[str] = []
        self.text = PARAMETER.sub(self._number, text)

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


class Hot(Statement):
    """A statement whose parameters have their types from where they stand: each is sent as untyped text."""

    def rows(self, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Do the same as a statement; inside a transaction, or where nothing is prepared, it goes that way."""
        raw = _connection()
        if raw.pgconn.transaction_status != _IDLE or not raw.autocommit or raw.prepare_threshold is None:
            return super().rows(values)
        given = values or {}
        parameters = [_DUMPS.get(type(value), _dump)(value) for value in [given[name] for name in self.names]]
        try:
            return _session(raw).run(self.text, parameters)
        except errors.InvalidSqlStatementName:  # psycopg deallocates all there are after a ROLLBACK; nothing has run
            _sessions.pop(raw, None)
            return _session(raw).run(self.text, parameters)


class _Moment(Loader):
    """Reads a timestamp: many times quicker than psycopg, which knows more ways to write one than our sessions use."""

    def load(self, data: Buffer) -> datetime:
        return datetime.fromisoformat(bytes(data).decode())


class _Reading:
    """How values are read: as Django has them read, but for timestamps. It does not keep the connection alive."""

    connection = None

    def __init__(self, adapters: AdaptersMap) -> None:
        self.adapters = AdaptersMap(adapters)
        self.adapters.register_loader("timestamptz", _Moment)


class _Session:
    """The statements that one connection has prepared, and how it reads what comes back."""

    def __init__(self, raw: "psycopg.Connection[Row]") -> None:
        self._pgconn = raw.pgconn
        self._names: dict[str, bytes] = {}
        self._reader = Transformer(_Reading(raw.adapters))

    def run(self, text: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        name = self._names.get(text) or self._prepare(text)
        result = checked(self._pgconn.exec_prepared(name, parameters), self._pgconn)
        self._reader.set_pgresult(result)
        return self._reader.load_rows(0, result.ntuples, tuple)

    def _prepare(self, text: str) -> bytes:
        name = b"hot_%d" % next(_numbers)  # never one again: what psycopg deallocates is not all that there is
        checked(self._pgconn.prepare(name, text.encode()), self._pgconn)
        self._names[text] = name
        return name


def checked(result: pq.abc.PGresult, pgconn: pq.abc.PGconn) -> pq.abc.PGresult:
    """Return what the server answered. Raises psycopg.Error, an operational one where libpq has lost the server."""
    if result.status in _ANSWERED:
        return result
    if pgconn.status == pq.ConnStatus.BAD or not result.error_field(pq.DiagnosticField.SQLSTATE):
        raise errors.OperationalError((result.error_message or b"the connection broke").decode(errors="replace"))
    raise errors.error_from_result(result)


_sessions: "WeakKeyDictionary[psycopg.Connection[Row], _Session]" = WeakKeyDictionary()


def _session(raw: "psycopg.Connection[Row]") -> _Session:
    found = _sessions.get(raw)
    if found is None:
        found = _sessions[raw] = _Session(raw)
    return found


def _text(value: str) -> bytes:
    encoded = value.encode()
    if b"\0" in encoded:  # libpq would end the text there
        raise errors.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return encoded


_DUMPS: dict[type, Callable[[Any], bytes | None]] = {
    str: _text,
    type(None): lambda _: None,
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: b"%d" % value,
    float: lambda value: repr(value).encode(),
    uuid.UUID: lambda value: value.hex.encode(),
    datetime: lambda value: value.isoformat().encode(),
    bytes: lambda value: b"\\x" + value.hex().encode(),
    list: lambda value: _text(array(value)),
}
_ELEMENTS: dict[type, Callable[[Any], str]] = {
    str: lambda value: '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"',
    type(None): lambda _: "NULL",
    bool: lambda value: "t" if value else "f",
    int: str,
    float: repr,
    uuid.UUID: lambda value: value.hex,
    datetime: lambda value: f'"{value.isoformat()}"',
    bytes: lambda value: f'"\\\\x{value.hex()}"',
}


def array(values: Sequence[Any]) -> str:
    """Return the text of an array (PostgreSQL, "Arrays": input syntax). Its values are of one type, or null.

    Many times cheaper than having psycopg adapt each of them by itself.
    """
    if values and values.count(values[0]) == len(values):  # most columns of what is written together are the same
        return "{" + ",".join([_element(values[0])] * len(values)) + "}"
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    return _ELEMENTS.get(type(value), _other)(value)


def _other(value: Any) -> str:
    return _ELEMENTS[str]((_dump(value) or b"").decode())


def _dump(value: Any) -> bytes | None:
    dump = _DUMPS.get(type(value))
    if dump is not None:
        return dump(value)
    (found,) = Transformer(_connection()).dump_sequence([value], [PyFormat.TEXT])
    return None if found is None else bytes(found)


def _connection() -> "psycopg.Connection[Row]":
    ours = connections[DEFAULT_DB_ALIAS]  # looked up once: it is kept apart for each thread, which takes its time
    if ours.connection is None:
        ours.ensure_connection()
    raw: psycopg.Connection[Row] = ours.connection
    return raw
