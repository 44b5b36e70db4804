"""A migration that cannot have a lock gives up soon, lets readers through, and says who holds it."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from dotdo_site import migration_locks
from dotdo_site.launch.checkout import ROOT
from dotdo_site.management.commands import migrate
from tests.support.own_database import OwnDatabase

LAST = 3.0


@dataclass
class Reader:
    """Reads a table all the time and remembers how long the slowest time took."""

    url: str
    slowest: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET lock_timeout = 0")
            while not self.ended.is_set():
                began = time.monotonic()
                connection.execute("SELECT count(*) FROM step")
                self.slowest = max(self.slowest, time.monotonic() - began)
                time.sleep(0.01)


@contextmanager
def reading(own: OwnDatabase) -> Iterator[Reader]:
    reader = Reader(own.url)
    thread = threading.Thread(target=reader.read)
    thread.start()
    try:
        yield reader
    finally:
        reader.ended.set()
        thread.join()


@pytest.fixture
def behind(own: OwnDatabase) -> Iterator[OwnDatabase]:
    """Give a database that lacks a migration of the hottest table."""
    yield own
    own.sql("ALTER TABLE step DROP COLUMN IF EXISTS hot")
    own.sql("DELETE FROM django_migrations WHERE app = 'hot'")


def test_a_migration_waits_for_an_open_transaction_and_no_reader_waits_long(behind: OwnDatabase) -> None:
    with reading(behind) as reader, psycopg.connect(behind.url) as holding:
        holding.execute("SELECT count(*) FROM step")
        migrating = _start(behind)
        time.sleep(8)
        assert migrating.poll() is None, migrating.communicate()
        holding.rollback()
        said = migrating.communicate(timeout=90)
    assert migrating.returncode == 0, said
    assert "A table is in use by process" in said[1]
    assert "dotdo" in said[1]
    assert "end it with SELECT pg_terminate_backend(" in said[1]
    assert reader.slowest < LAST
    assert _columns(behind) == [("hot",)]


def test_a_migration_that_never_gets_its_lock_fails_and_has_changed_nothing(
    behind: OwnDatabase,
) -> None:
    with reading(behind) as reader, psycopg.connect(behind.url) as holding:
        holding.execute("SELECT count(*) FROM step")
        process = holding.info.backend_pid
        done = _start(behind, pauses="(0.2,)").communicate(timeout=90)
        assert holding.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    assert f"process {process}" in done[1]
    assert "CommandError: The migration did not get its locks and was undone" in done[1]
    assert reader.slowest < LAST
    assert _columns(behind) == []


def test_readers_wait_less_than_the_lock_of_a_migration_may() -> None:
    assert migration_locks.LOCK_SECONDS < LAST
    assert sum(migrate.PAUSES_SECONDS) + migration_locks.LOCK_SECONDS * len(migrate.PAUSES_SECONDS) > 30


def _columns(own: OwnDatabase) -> list[tuple[Any, ...]]:
    return own.sql(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'step' AND column_name = 'hot'"
    )


def _start(own: OwnDatabase, pauses: str = "") -> "subprocess.Popen[str]":
    shorter = f"migrate.PAUSES_SECONDS = {pauses}; " if pauses else ""
    code = (
        "import django; django.setup(); from django.core.management import execute_from_command_line as run; "
        f"from dotdo_site.management.commands import migrate; {shorter}run(['manage.py', 'migrate', '-v0'])"
    )
    argv = [sys.executable, "-c", code]
    environment = own.owner_environment | {
        "DOTDO_APPS": "tests.fault.database.hot",
        "DJANGO_SETTINGS_MODULE": "dotdo_site.settings",
    }
    return subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=-1, stderr=-1, text=True)
