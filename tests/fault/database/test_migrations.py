"""A migration that cannot have a lock gives up soon, lets readers through, and says who holds it.

An index is built beside the traffic: that waits for as long as it takes, and what is cut off is built again.
"""

import io
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg
import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate
from django.db import connection, transaction
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from dotdo_site import embedded_postgres, migration_locks
from dotdo_site.launch.checkout import ROOT
from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently
from dotdo_site.management.commands import migrate
from tests.support.own_database import OwnDatabase

LAST = 3.0
LIMITS = {"lock_timeout": "1s", "statement_timeout": "2s", "transaction_timeout": "4s"}
# What was released before indexes had to be built concurrently, and tables of definitions, which stay small.
BEFORE = {"workflows": "0011", "actions": "0003", "audit": "0002"}
SMALL = {"workflow", "workflow_version", "action", "action_version"}
COMMENT = re.compile(r"--.*")
CREATED = re.compile(r'CREATE TABLE (?:IF NOT EXISTS )?"?(\w+)', re.IGNORECASE)
PLAIN = (
    re.compile(r'CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)[^;]*?\bON (?:ONLY )?"?(\w+)', re.IGNORECASE),
    re.compile(
        r'ALTER TABLE (?:ONLY )?"?(\w+)"? ADD [^;]*?\b(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b(?! USING INDEX)', re.IGNORECASE
    ),
)


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
    """Give a database that lacks migrations of the hottest table."""
    yield own
    own.sql("ALTER TABLE step DROP COLUMN IF EXISTS hot")
    own.sql("DROP INDEX IF EXISTS step_beside")
    own.sql("DELETE FROM django_migrations WHERE app IN ('hot', 'beside')")


def test_a_migration_waits_for_an_open_transaction_and_no_reader_waits_long(behind: OwnDatabase) -> None:
    with reading(behind) as reader, psycopg.connect(behind.url) as holding:
        holding.execute("SELECT count(*) FROM step")
        migrating = _start(behind)
        assert migrating.stderr is not None
        said = migrating.stderr.readline()  # after the first of its waits
        assert migrating.poll() is None, migrating.communicate()
        holding.rollback()
        rest = migrating.stderr.read()
        assert migrating.wait(90) == 0, said + rest
    assert "A table is in use by process" in said
    assert "dotdo" in said
    assert "end it with SELECT pg_terminate_backend(" in said
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


def test_a_migration_that_a_deadlock_ends_is_tried_again(own: OwnDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    holds, wants, done = threading.Event(), threading.Event(), list[int]()

    def alter(*_: Any, **__: Any) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE branch IN ACCESS EXCLUSIVE MODE")
            wants.set()
            time.sleep(0.5)
            cursor.execute("LOCK TABLE step IN ACCESS EXCLUSIVE MODE")
            done.append(1)

    def work() -> None:
        url = embedded_postgres.superuser_url(own.var)
        with psycopg.connect(url, dbname="dotdo", options="-c deadlock_timeout=30s") as other:
            other.execute("LOCK TABLE step IN ROW EXCLUSIVE MODE")
            holds.set()
            wants.wait(30)
            other.execute("LOCK TABLE branch IN ROW EXCLUSIVE MODE")

    monkeypatch.setattr(Migrate, "handle", alter)
    monkeypatch.setattr(migrate, "PAUSES_SECONDS", (0.5,) * 5)
    worker = threading.Thread(target=work)
    worker.start()
    holds.wait(30)
    said = io.StringIO()
    call_command("migrate", stderr=said, skip_checks=True)
    worker.join()
    assert done == [1]
    assert "Trying again" in said.getvalue()


def test_readers_wait_less_than_the_lock_of_a_migration_may() -> None:
    assert migration_locks.LOCK_SECONDS < LAST
    assert sum(migrate.PAUSES_SECONDS) + migration_locks.LOCK_SECONDS * len(migrate.PAUSES_SECONDS) > 30


def test_an_open_transaction_does_not_make_a_concurrent_index_fail_and_nobody_waits_for_it(behind: OwnDatabase) -> None:
    limits = {
        name: value for name, value in LIMITS.items() if behind.sql(f"SELECT FROM pg_settings WHERE name = '{name}'")
    }
    options = {"PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in limits.items())}
    with reading(behind) as reader, _snapshot(behind) as holding:
        migrating = _start(behind, app="beside", **options)
        _until(lambda: _index(behind) == [(False,)])
        time.sleep(6)
        assert migrating.poll() is None, migrating.communicate()
        behind.sql("SET lock_timeout = '2s'; UPDATE step SET state = state")
        process = holding.info.backend_pid
        holding.rollback()
        said = migrating.communicate(timeout=90)
    assert migrating.returncode == 0, said
    assert f"Waiting, with no limit and in nobody's way, for process {process}" in said[1]
    assert _index(behind) == [(True,)]
    assert reader.slowest < LAST


def test_an_invalid_index_that_a_killed_migrate_left_behind_is_replaced(behind: OwnDatabase) -> None:
    with _snapshot(behind):
        killed = _start(behind, app="beside")
        _until(lambda: _index(behind) == [(False,)])
        killed.kill()
        killed.communicate()
        behind.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index")
        _until(lambda: not _building(behind))
    assert _index(behind) == [(False,)]
    said = _start(behind, app="beside").communicate(timeout=90)
    assert said == ("", "")
    assert _index(behind) == [(True,)]


def test_an_index_that_the_server_still_builds_for_a_killed_migrate_is_waited_for_and_kept(behind: OwnDatabase) -> None:
    with _snapshot(behind) as holding:
        killed = _start(behind, app="beside")
        _until(lambda: _index(behind) == [(False,)])
        killed.kill()
        killed.communicate()
        [(building,)] = _building(behind)
        migrating = _start(behind, app="beside")
        time.sleep(4)
        assert migrating.poll() is None, migrating.communicate()
        assert _building(behind) == [(building,)]
        number = behind.sql("SELECT 'step_beside'::regclass::oid")
        holding.rollback()
        said = migrating.communicate(timeout=90)
    assert migrating.returncode == 0, said
    assert f"Waiting for process {building}, which builds an index on" in "".join(said)
    assert _index(behind) == [(True,)]
    assert behind.sql("SELECT 'step_beside'::regclass::oid") == number


def test_no_migration_builds_an_index_inside_a_transaction_that_keeps_writers_waiting(own: OwnDatabase) -> None:
    loader = MigrationLoader(connection)
    found = {}
    for (app, name), migration in loader.disk_migrations.items():
        if app in BEFORE and name[:4] > BEFORE[app]:
            found[f"{app} {name}"] = _plain_indexes("\n".join(loader.collect_sql([_Step(migration, backwards=False)])))
            assert _fragile(migration) == [], f"{app} {name}: use BuildIndexConcurrently"
    assert found, "no migration was looked at"
    assert {name: tables for name, tables in found.items() if tables} == {}


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ('CREATE INDEX "a" ON "step" ("id") WHERE "state" = 1;', {"step"}),
        ("create unique index a\n on only run (id);", {"run"}),
        ('ALTER TABLE "event" ADD CONSTRAINT "a" UNIQUE ("id");', {"event"}),
        ('ALTER TABLE "event" ADD COLUMN "a" integer NULL UNIQUE;', {"event"}),
        ('ALTER TABLE "event" ADD CONSTRAINT "a" UNIQUE USING INDEX "b";', set()),
        ('CREATE INDEX CONCURRENTLY "a" ON "step" ("id");', set()),
        ('CREATE TABLE "new" ("id" integer UNIQUE); CREATE INDEX "a" ON "new" ("id");', set()),
        ('CREATE INDEX "a" ON "workflow_version" ("id");', set()),
    ],
)
def test_an_index_that_keeps_writers_waiting_is_seen(statement: str, tables: set[str]) -> None:
    assert _plain_indexes(statement) == tables


class _Step(NamedTuple):
    migration: Migration
    backwards: bool


def _plain_indexes(text: str) -> set[str]:
    """Return the big tables that get an index inside a transaction; those that the same text creates are empty."""
    text = COMMENT.sub("", text)
    return {table for pattern in PLAIN for table in pattern.findall(text)} - set(CREATED.findall(text)) - SMALL


def _fragile(migration: Migration) -> list[str]:
    kinds = {type(each) for each in migration.operations if isinstance(each, AddIndexConcurrently)}
    return sorted(kind.__name__ for kind in kinds - {BuildIndexConcurrently})


@contextmanager
def _snapshot(own: OwnDatabase) -> Iterator["psycopg.Connection[Any]"]:
    """Keep a transaction open that has seen something, as a backup does."""
    with psycopg.connect(own.url) as holding:
        holding.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holding.execute("SELECT count(*) FROM step")
        yield holding


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)


def _index(own: OwnDatabase) -> list[tuple[Any, ...]]:
    return own.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('step_beside')")


def _building(own: OwnDatabase) -> list[tuple[Any, ...]]:
    return own.sql("SELECT pid FROM pg_stat_progress_create_index")


def _columns(own: OwnDatabase) -> list[tuple[Any, ...]]:
    return own.sql(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'step' AND column_name = 'hot'"
    )


def _start(own: OwnDatabase, pauses: str = "", app: str = "hot", **more: str) -> "subprocess.Popen[str]":
    shorter = f"migrate.PAUSES_SECONDS = {pauses}; " if pauses else ""
    code = (
        "import django; django.setup(); from django.core.management import execute_from_command_line as run; "
        f"from dotdo_site.management.commands import migrate; {shorter}run(['manage.py', 'migrate', '-v0'])"
    )
    argv = [sys.executable, "-c", code]
    environment = own.owner_environment | {
        "DOTDO_APPS": f"tests.fault.database.{app}",
        "DJANGO_SETTINGS_MODULE": "dotdo_site.settings",
        **more,
    }
    return subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=-1, stderr=-1, text=True)
