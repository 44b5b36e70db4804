"""The proxy of the fault tests cuts where it says that it cuts: otherwise those tests prove nothing."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from dotdo_site import embedded_postgres
from dotdo_site.postgres_settings import PORT
from tests.conftest import VAR
from tests.support.cutting_proxy import AFTER, BEFORE, CuttingProxy

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def proxy(superuser: Connection) -> Iterator[CuttingProxy]:
    superuser.execute("DROP TABLE IF EXISTS mark; CREATE TABLE mark (n int); GRANT ALL ON mark TO dotdo")
    with CuttingProxy(embedded_postgres.locate(VAR).sockets / f".s.PGSQL.{PORT}", seed=1) as proxy:
        yield proxy
    superuser.execute("DROP TABLE mark")


def connect(proxy: CuttingProxy, *, autocommit: bool = False) -> Connection:
    return psycopg.connect(proxy.url("dotdo", "dotdo"), autocommit=autocommit)


def marks(superuser: Connection) -> int:
    row = superuser.execute("SELECT count(*) FROM mark").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(("side", "kept"), [(BEFORE, 0), (AFTER, 1)])
def test_a_cut_commit_fails_for_the_client_whether_it_happened_or_not(
    proxy: CuttingProxy, superuser: Connection, side: str, kept: int
) -> None:
    proxy.cut_next(side, "COMMIT")
    connection = connect(proxy)
    connection.execute("INSERT INTO mark VALUES (1)")
    with pytest.raises(psycopg.OperationalError):
        connection.commit()
    assert marks(superuser) == kept
    assert proxy.cuts == {side: 1}


@pytest.mark.parametrize(("side", "kept"), [(BEFORE, 9), (AFTER, 10)])
def test_a_statement_that_commits_by_itself_is_cut_also_when_it_is_prepared(
    proxy: CuttingProxy, superuser: Connection, side: str, kept: int
) -> None:
    connection = connect(proxy, autocommit=True)
    for n in range(9):
        connection.execute("INSERT INTO mark VALUES (%s)", [n], prepare=True)
    proxy.cut_next(side, "INSERT INTO mark")
    with pytest.raises(psycopg.OperationalError):
        connection.execute("INSERT INTO mark VALUES (%s)", [9], prepare=True)
    assert marks(superuser) == kept


def test_what_does_not_commit_is_let_through(proxy: CuttingProxy, superuser: Connection) -> None:
    proxy.rate = 1.0
    with connect(proxy) as connection:
        connection.execute("INSERT INTO mark VALUES (1)")
        connection.execute("SELECT count(*) FROM mark")
        connection.rollback()
    assert (proxy.commits, marks(superuser)) == (0, 0)


def test_notifications_and_large_answers_come_through(proxy: CuttingProxy, superuser: Connection) -> None:
    with connect(proxy, autocommit=True) as connection:
        connection.execute("LISTEN bell")
        superuser.execute("NOTIFY bell")
        assert next(connection.notifies(timeout=10)).channel == "bell"
        row = connection.execute("SELECT repeat('x', 3000000)").fetchone()
        assert row is not None
        assert len(row[0]) == 3_000_000


def test_a_paused_proxy_hangs_and_goes_on(proxy: CuttingProxy) -> None:
    with connect(proxy, autocommit=True) as connection:
        proxy.pause()
        threading.Timer(0.5, proxy.resume).start()
        began = time.monotonic()
        connection.execute("SELECT 1")
        assert time.monotonic() - began >= 0.4


def test_all_connections_are_cut_at_once(proxy: CuttingProxy) -> None:
    connections = [connect(proxy, autocommit=True) for _ in range(3)]
    proxy.cut_all()
    for connection in connections:
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
