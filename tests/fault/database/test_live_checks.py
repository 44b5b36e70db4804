"""Settings of the real database that would break a promise stop the start, or are warned of, each with a way out."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.core.checks import CheckMessage
from django.core.management.base import SystemCheckError
from django.db import connection
from django.test import Client
from pytest_django import Settings

from dotdo_site import database_checks, database_limits, embedded_postgres
from dotdo_site.launch.checkout import ROOT
from dotdo_site.postgres_programs import MAJOR
from dotdo_site.postgres_settings import CONFIGURATION, LIMITS, ROLES_SQL
from tests.support.own_database import OwnDatabase

WRONG = [
    ("synchronous_commit = 'off'", "dotdo.E073"),
    ("default_transaction_isolation = 'repeatable read'", "dotdo.E078"),
    ("default_transaction_isolation = 'serializable'", "dotdo.E078"),
    ("idle_in_transaction_session_timeout = 0", "dotdo.E079"),
    ("idle_in_transaction_session_timeout = '1h'", "dotdo.W079"),
    ("lock_timeout = 0", "dotdo.W079"),
    ("statement_timeout = 0", "dotdo.W079"),
]
ONLY_NEWER = [
    ("transaction_timeout = 0", "dotdo.W079"),
    ("transaction_timeout = '20s'", "dotdo.W080"),
]


def found() -> list[CheckMessage]:
    """Look at the database through a session of its own."""
    connection.close()
    return database_checks.check_the_database_that_answers(["default"])


def numbers() -> list[str | None]:
    return [message.id for message in found()]


@contextmanager
def role_with(own: OwnDatabase, setting: str) -> Iterator[None]:
    """Give the application's role a setting of its own for a while."""
    name = setting.partition(" ")[0]
    own.sql(f"ALTER ROLE dotdo IN DATABASE dotdo SET {setting}")
    try:
        yield
    finally:
        own.sql(f"ALTER ROLE dotdo IN DATABASE dotdo RESET {name}")
        connection.close()


@contextmanager
def server_with(own: OwnDatabase, **values: str) -> Iterator[None]:
    """Give the server other settings for a while, those that it takes without a restart."""
    for name, value in values.items():
        own.sql(f"ALTER SYSTEM SET {name} = '{value}'")
    own.sql("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        for name in values:
            own.sql(f"ALTER SYSTEM RESET {name}")
        own.sql("SELECT pg_reload_conf()")
        connection.close()


def test_the_embedded_server_is_set_right(own: OwnDatabase) -> None:
    assert found() == []


@pytest.mark.parametrize(("setting", "number"), WRONG + (ONLY_NEWER if MAJOR >= 17 else []))
def test_a_wrong_setting_of_the_role_has_a_number_and_a_way_out(own: OwnDatabase, setting: str, number: str) -> None:
    with role_with(own, setting):
        (message,) = found()
    assert message.id == number
    assert message.hint
    assert "ALTER ROLE dotdo" in message.hint


def test_the_hint_for_a_missing_limit_is_the_statement_that_sets_it(own: OwnDatabase) -> None:
    with role_with(own, "idle_in_transaction_session_timeout = 0"):
        (message,) = found()
        assert message.hint == "ALTER ROLE dotdo IN DATABASE dotdo SET idle_in_transaction_session_timeout = '60s';"
        own.sql(message.hint)
        assert found() == []


def test_limits_that_nobody_decided_on_are_set_by_the_application_itself(own: OwnDatabase) -> None:
    names = [name for name in LIMITS if name != "transaction_timeout" or MAJOR >= 17]
    for name in names:
        own.sql(f"ALTER ROLE dotdo RESET {name}")
    connection.close()
    try:
        assert set(numbers()) >= {"dotdo.E079", "dotdo.W079"}
        database_limits.keep_own()
        database_limits.fresh.clear()
        assert found() == []
        with psycopg.connect(own.url) as other:
            assert other.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("1min",)
    finally:
        for name in names:
            own.sql(f"ALTER ROLE dotdo IN DATABASE dotdo RESET {name}")
        embedded_postgres.run_sql(own.server.location, ROLES_SQL)
        database_limits.fresh.clear()


def test_a_limit_that_somebody_chose_is_left_alone(own: OwnDatabase) -> None:
    with role_with(own, "idle_in_transaction_session_timeout = 0"):
        connection.close()
        database_limits.keep_own()
        assert numbers() == ["dotdo.E079"]


def test_a_disk_that_may_lie_is_warned_of(own: OwnDatabase) -> None:
    own.stop()
    saved = dict(CONFIGURATION)
    CONFIGURATION.update(fsync="off", full_page_writes="off", max_connections="12")
    try:
        own.start()
        assert numbers() == ["dotdo.W074", "dotdo.W074", "dotdo.W076"]
    finally:
        CONFIGURATION.update(saved)
        own.stop()
        own.start()
        connection.close()


def test_too_few_connections_of_the_role_are_warned_of(own: OwnDatabase) -> None:
    own.sql("ALTER ROLE dotdo CONNECTION LIMIT 5")
    try:
        assert numbers() == ["dotdo.W076"]
    finally:
        own.sql("ALTER ROLE dotdo CONNECTION LIMIT -1")


def test_a_role_that_may_change_the_audit_trail_is_warned_of(own: OwnDatabase) -> None:
    own.sql("GRANT UPDATE ON audit_event TO dotdo")
    try:
        assert numbers() == ["dotdo.W075"]
    finally:
        own.sql("REVOKE UPDATE ON audit_event FROM dotdo")


def test_commits_that_do_not_wait_for_the_standby_are_warned_of(own: OwnDatabase) -> None:
    with role_with(own, "synchronous_commit = 'local'"), server_with(own, synchronous_standby_names="elsewhere"):
        assert numbers() == ["dotdo.W073"]


def test_a_database_in_another_encoding_stops_the_start(own: OwnDatabase) -> None:
    own.sql("CREATE DATABASE latin OWNER dotdo_owner ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    url = own.url.replace("/dotdo?", "/latin?")
    own.sql("GRANT CONNECT ON DATABASE latin TO dotdo")
    try:
        done = _manage(url, "cluster")
    finally:
        own.sql("DROP DATABASE latin WITH (FORCE)")
    assert done.returncode == 1
    assert "dotdo.E072" in done.stderr


@pytest.mark.parametrize(("major", "number"), [(13, "dotdo.E071"), (19, "dotdo.W071")])
def test_a_version_that_was_not_tested_is_named(
    own: OwnDatabase, monkeypatch: pytest.MonkeyPatch, major: int, number: str
) -> None:
    connection.close()
    asked = database_checks.ask()
    monkeypatch.setattr(database_checks, "OLDEST", asked.major + 14 - major)
    monkeypatch.setattr(database_checks, "NEWEST", asked.major + 18 - major)
    assert numbers() == [number]


def test_a_cluster_does_not_start_on_a_database_that_breaks_promises(own: OwnDatabase) -> None:
    with role_with(own, "synchronous_commit = 'off'"):
        done = _manage(own.url, "cluster")
    assert done.returncode == 1
    assert "dotdo.E073" in done.stderr
    assert "ALTER ROLE dotdo SET synchronous_commit" in done.stderr


def test_a_migration_does_not_start_on_a_database_that_breaks_promises(own: OwnDatabase) -> None:
    own.sql("ALTER ROLE dotdo_owner SET synchronous_commit = 'off'")
    try:
        done = _manage(embedded_postgres.owner_url(own.var), "migrate", DOTDO_APPLICATION_ROLE="dotdo")
    finally:
        own.sql("ALTER ROLE dotdo_owner RESET synchronous_commit")
    assert done.returncode == 1
    assert "dotdo.E073" in done.stderr


def test_the_web_server_does_not_start_on_a_database_that_breaks_promises(own: OwnDatabase) -> None:
    with role_with(own, "synchronous_commit = 'off'"):
        connection.close()
        with pytest.raises(SystemCheckError, match=r"dotdo\.E073"):
            database_checks.at_start()


def test_readiness_names_a_setting_that_became_wrong_later(own: OwnDatabase) -> None:
    assert Client().get("/readyz").status_code == 200
    with role_with(own, "synchronous_commit = 'off'"):
        connection.close()
        answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "database settings", "settings": ["dotdo.E073"]}


def test_a_database_that_is_away_does_not_keep_the_web_server_from_starting(
    own: OwnDatabase, settings: Settings
) -> None:
    connection.close()
    connection.settings_dict.update(HOST="127.0.0.1", PORT="1")
    database_checks.at_start()
    assert numbers() == ["dotdo.W070"]


def _manage(url: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=os.environ | {"DATABASE_URL": url} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
