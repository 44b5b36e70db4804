"""Statements that go to libpq itself: they give what the others give, whatever happened on their connection before."""

import os
import socket
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from psycopg import pq

from workflows import at_once
from workflows.sql import Hot, Statement, checked

pytestmark = pytest.mark.usefixtures("database")
TYPES = """
    SELECT :a::text, :b::int, :c::bigint, :d::float8, :e::bool, :f::uuid, :g::bytea, :h::timestamptz, :i::jsonb,
        :j::text[], :k::uuid[], :l::jsonb[], :m::bytea[], :n::bool[], :o::int[], :p::timestamptz[]
"""
AT = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
HARD = ['quoted "text"', "back\\slash", "{braces}", "a, b", "", "NULL", "ünï ✓", "line\nbreak"]
VALUES: dict[str, Any] = {
    "a": 'quoted "text" \\ {x}', "b": -7, "c": 2**60, "d": 0.1, "e": True, "f": uuid.UUID(int=7), "g": b"\x00\xff\\",
    "h": AT, "i": '{"a": [1, "\\""]}', "j": [*HARD, None], "k": [uuid.UUID(int=1), None], "l": ['{"a": "\\""}', "null"],
    "m": [b"\x00\\", b""], "n": [True, False, None], "o": [1, -2], "p": [AT, None],
}  # fmt: skip


@pytest.mark.parametrize("values", [VALUES, dict.fromkeys(VALUES)])
def test_a_hot_statement_reads_and_writes_every_type_as_the_others_do(values: dict[str, Any]) -> None:
    assert Hot(TYPES).rows(values) == Statement(TYPES).rows(values)


def test_a_text_with_a_nul_is_refused_and_not_cut() -> None:
    with pytest.raises(psycopg.DataError, match="NUL"):
        Hot("SELECT :a::text").rows({"a": "a\0b"})
    with pytest.raises(psycopg.DataError, match="NUL"):
        Hot("SELECT :a::text[]").rows({"a": ["a\0b"]})


def test_a_statement_that_fails_says_why_as_the_others_do() -> None:
    with pytest.raises(psycopg.errors.DivisionByZero, match="division by zero"):
        Hot("SELECT 1 / :a::int").rows({"a": 0})
    with pytest.raises(psycopg.errors.UndefinedTable, match="no_such_table"):
        Hot("SELECT FROM no_such_table").rows()


def test_what_psycopg_deallocates_is_prepared_again_also_when_only_some_of_it_is_gone() -> None:
    first, second, third = (Hot(f"SELECT {number}, :a::int") for number in range(3))
    assert first.rows({"a": 1}) == [(0, 1)]
    assert second.rows({"a": 1}) == [(1, 1)]
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert third.rows({"a": 2}) == [(2, 2)]  # prepared behind those that are gone
    for number, statement in enumerate((first, second, third)):
        assert statement.rows({"a": 3}) == [(number, 3)]


def test_a_rollback_leaves_hot_statements_usable() -> None:
    statement = Hot("SELECT :a::int")
    assert statement.rows({"a": 1}) == [(1,)]
    with transaction.atomic():
        assert statement.rows({"a": 2}) == [(2,)]
        transaction.set_rollback(True)
    assert statement.rows({"a": 3}) == [(3,)]


def test_a_hot_statement_joins_the_open_transaction() -> None:
    with transaction.atomic():
        Hot("SELECT set_config('dotdo.test', :a, true)").rows({"a": "inside"})
        assert Hot("SELECT current_setting('dotdo.test')").rows() == [("inside",)]
    assert Hot("SELECT current_setting('dotdo.test', true)").rows() in ([("",)], [(None,)])


def test_a_connection_that_was_terminated_is_an_outage() -> None:
    Hot("SELECT 1").rows()
    pid = Hot("SELECT pg_backend_pid()").rows()[0][0]
    with psycopg.connect(**_parameters(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    with pytest.raises(psycopg.OperationalError):
        Hot("SELECT pg_sleep(5)").rows()
    connection.close()
    assert Hot("SELECT 2").rows() == [(2,)]


@pytest.mark.parametrize("how", [lambda: Hot("SELECT 1").rows(), lambda: at_once.send("SELECT 1", "SELECT 2")])
def test_a_server_that_is_gone_without_a_word_is_an_outage(how: Callable[[], object]) -> None:
    connection.ensure_connection()
    how()
    with socket.socket(fileno=os.dup(connection.connection.pgconn.socket)) as ours:
        ours.shutdown(socket.SHUT_RDWR)
    with pytest.raises(psycopg.OperationalError, match="closed the connection"):
        how()
    connection.close()


def test_a_result_of_libpq_that_names_no_cause_is_an_outage() -> None:
    Hot("SELECT 1").rows()
    pgconn = connection.connection.pgconn
    with pytest.raises(psycopg.OperationalError):
        checked(pgconn.make_empty_result(pq.ExecStatus.FATAL_ERROR), pgconn)


def _parameters() -> dict[str, Any]:
    known = connection.get_connection_params()
    return {name: known[name] for name in ("host", "port", "user", "password", "dbname") if known.get(name)}
