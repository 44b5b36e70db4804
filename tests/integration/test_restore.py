"""`make backup` and `make restore` on an installation as a newcomer has it: development mode, demo, runs that wait."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from dotdo_site import embedded_postgres
from dotdo_site.launch import instance
from tests.support.terminal import Terminal, free_port

CHANGING = {
    "worker",
    "chore",
    "audit_seal",
    "audit_sealed_head",
    "epoch",
    "notice",
}  # heartbeats, housekeeping; a restore ends an epoch
COUNTED = {"rollup", "rollup_place", "failure", "failure_group", "failure_count"}  # from the rest, by housekeeping
STRUCTURE = """
SELECT c.oid::regclass::text, a.attname, a.attidentity::text, format_type(a.atttypid, a.atttypmod), a.attnotnull::text
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace
UNION ALL SELECT tgrelid::regclass::text, pg_get_triggerdef(oid), '', '', tgenabled::text FROM pg_trigger
 WHERE NOT tgisinternal
UNION ALL SELECT conrelid::regclass::text, conname, contype::text, '', '' FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT oid::regclass::text, relkind::text, pg_get_userbyid(relowner), relacl::text, '' FROM pg_class
 WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT oid::regprocedure::text, prosrc, pg_get_userbyid(proowner), proacl::text, '' FROM pg_proc
 WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT schemaname || sequencename, last_value::text, '', '', '' FROM pg_sequences
 ORDER BY 1, 2, 3, 4, 5
"""
CONTENT = "SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {} AS t"
GUARDED = ("UPDATE audit_event SET kind = 'x'", "DELETE FROM audit_event", "TRUNCATE audit_event")
NO_DROPS = """
CREATE SCHEMA guard;
CREATE FUNCTION guard.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
CREATE EVENT TRIGGER no_drops ON sql_drop EXECUTE FUNCTION guard.refuse();
"""
FINISH = 'from workflows import operations; operations.{}({!r}, actor="system", reason="test")'
END_WAIT = 'from workflows import operations; operations.fire_timer({!r}, "/do/1/nap", actor="system", reason="test")'

pytestmark = pytest.mark.timeout(600)  # each starts whole installations, some of them twice


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Give a terminal on an installation of its own in development mode."""
    terminal = Terminal(tmp_path_factory.mktemp("restore") / "var", free_port(), development="1")
    yield terminal
    terminal.close()
    instance.stop(terminal.var)
    embedded_postgres.remove(terminal.var)


@contextmanager
def server(var: Path) -> Iterator[None]:
    """Run only the database."""
    running = embedded_postgres.start(var)
    yield
    running.stop()


def snapshot(var: Path) -> tuple[list[Any], dict[str, str]]:
    """Describe every column, trigger, constraint, right, function and number sequence, and digest every table."""
    with psycopg.connect(embedded_postgres.owner_url(var)) as connection:
        tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        content = {}
        for table in set(tables) - CHANGING:
            row = connection.execute(sql.SQL(CONTENT).format(sql.Identifier(table))).fetchone()
            assert row is not None
            content[table] = row[0]
        return connection.execute(STRUCTURE).fetchall(), content


def refusal(url: str, statement: str) -> str:
    """Return in which words the database refuses a statement."""
    try:
        with psycopg.connect(url) as connection:
            connection.execute(statement)
    except psycopg.Error as error:
        return str(error)
    return "accepted"


def start_and_settle(terminal: Terminal) -> None:
    """Start dotdo and let its first runs come to rest."""
    terminal.start()
    terminal.read_until("started 3 runs")
    terminal.await_rows("SELECT state FROM run ORDER BY state", "failed", "succeeded", "waiting")


def test_a_restore_brings_back_a_whole_installation_and_its_runs_go_on(terminal: Terminal) -> None:
    start_and_settle(terminal)
    waiting = terminal.start_paused_run("PT1H")
    location = embedded_postgres.locate(terminal.var)
    # As autovacuum does sooner or later: it changes the order in which the catalogues list things.
    embedded_postgres.run_sql(location, "ANALYZE", database="dotdo")
    path = terminal.run("backup").stdout.split(" (")[0]
    before, keys = snapshot(terminal.var), (terminal.var / "keys" / "keys.json").read_text()
    terminal.script("from dotdo_site.demo.models import DemoUser; DemoUser.objects.all().delete()")
    terminal.script(FINISH.format("cancel", waiting))

    restored = terminal.run("restore", "--file", path, "--yes")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert terminal.finish() == 0
    with server(terminal.var):
        after = snapshot(terminal.var)
        assert after[1] == before[1]
        assert sorted(set(after[0]) ^ set(before[0])) == []
        application, owner = embedded_postgres.application_url(terminal.var), embedded_postgres.owner_url(terminal.var)
        assert {refusal(application, text) for text in GUARDED} == {"permission denied for table audit_event"}
        assert all("append-only" in refusal(owner, text) for text in GUARDED)
    assert (terminal.var / "keys" / "keys.json").read_text() == keys

    terminal.start()
    terminal.script(END_WAIT.format(waiting))
    terminal.await_state(waiting, "succeeded")
    (broken,) = terminal.rows("SELECT id::text FROM run WHERE state = 'failed'")
    terminal.script(FINISH.format("retry", broken))
    terminal.await_state(broken, "succeeded")
    assert terminal.manage("verify_audit").returncode == 0


def test_a_restore_that_fails_says_that_nothing_changed_and_how_to_start_again(terminal: Terminal) -> None:
    start_and_settle(terminal)
    path = Path(terminal.run("backup").stdout.split(" (")[0])
    damaged = path.with_name("damaged.tar")
    damaged.write_bytes(path.read_bytes()[:-20_000])
    refused = terminal.run("restore", "--file", str(damaged), "--yes")
    assert (refused.returncode, "damaged.tar" in refused.stdout) == (1, True), refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    assert terminal.get("/healthz") == 200  # a file that cannot be restored is no reason to stop

    location = embedded_postgres.locate(terminal.var)
    embedded_postgres.run_sql(location, NO_DROPS, database="dotdo")
    before = snapshot(terminal.var)
    failed = terminal.run("restore", "--file", str(path), "--yes")
    assert failed.returncode == 1
    assert "not today" in failed.stdout
    assert "nothing was replaced. dotdo was stopped for this: start it again with `make up`" in failed.stdout
    terminal.finish()
    with server(terminal.var):
        after = snapshot(terminal.var)[1]
        assert {table: after[table] for table in after.keys() - COUNTED} == {
            table: before[1][table] for table in before[1].keys() - COUNTED
        }
    terminal.start()
    assert terminal.get("/readyz") == 200


def test_a_backup_that_was_not_found_is_answered_with_those_there_are(terminal: Terminal) -> None:
    assert "holds no backups; `make backup` writes one" in terminal.run("restore").stdout
    folder = terminal.var / "backups"
    folder.mkdir(parents=True)
    for day in (1, 2):
        path = folder / f"dotdo-2026010{day}-000000.tar"
        path.touch()
        os.utime(path, (day, day))
    for asked, words in (("", "Name the backup to restore"), ("gone.tar", "There is no file gone.tar")):
        done = terminal.run("restore", "--file", asked)
        assert done.returncode == 1
        assert words in done.stdout
        places = [done.stdout.index(f"make restore FILE={folder}/dotdo-2026010{day}") for day in (2, 1)]
        assert places == sorted(places)  # newest first
