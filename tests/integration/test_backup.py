"""Backup and restore on two real servers: what comes out goes in again, completely or not at all."""

import io
import json
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from dotdo_site import backup, embedded_postgres, keys
from dotdo_site.backup import BackupError, Source
from dotdo_site.postgres_programs import INSTALLATIONS, MAJOR

CONTENT = """
CREATE TABLE ledger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, word text NOT NULL);
CREATE TABLE entry (ledger bigint NOT NULL REFERENCES ledger);
CREATE TYPE mood AS ENUM ('good');
CREATE VIEW words AS SELECT word FROM ledger;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'append only'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO ledger (word) VALUES ('first'), (E'tab\\tand\\nline'), ('ünï');
INSERT INTO entry SELECT id FROM ledger;
GRANT SELECT ON ledger TO dotdo;
"""
MANY_IDENTITIES = "".join(f"CREATE TABLE t{n} (id bigint GENERATED ALWAYS AS IDENTITY, s serial);" for n in range(50))
LIMIT = """
SELECT format('ALTER ROLE dotdo_owner SET %I = %L', name, '20ms') FROM pg_settings
 WHERE name IN ('statement_timeout', 'transaction_timeout') \\gexec
"""
HELD = """
CREATE TABLE step (id int, state text, lease_expires_at timestamptz);
CREATE TABLE worker (id int, stopped_at timestamptz);
CREATE TABLE epoch (value int, server text, timeline text);
INSERT INTO step VALUES (1, 'running', now() + interval '1 hour'), (2, 'waiting', NULL);
INSERT INTO worker VALUES (1, NULL), (2, '2026-01-01');
INSERT INTO epoch VALUES (7, '4711', '00000001');
"""
MAKE_OLDER = """
import sys
from pathlib import Path
import psycopg
from dotdo_site import backup, embedded_postgres, keys
var, content, backups = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
embedded_postgres.start(var)
try:
    source = backup.Source(embedded_postgres.owner_url(var), var / "keys.json")
    keys.ensure(source.keys_file)
    with psycopg.connect(source.url) as connection:
        connection.execute(content)
    print(backup.create(source, backups, "0.1.0"))
finally:
    embedded_postgres.remove(var)
"""
NEWER = "CREATE TABLE invented_later (ledger bigint REFERENCES ledger); INSERT INTO ledger (word) VALUES ('later')"


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run one server for this file."""
    folder = tmp_path_factory.mktemp("backup") / "var"
    embedded_postgres.start(folder)
    yield folder
    embedded_postgres.remove(folder)


@pytest.fixture
def source(var: Path, tmp_path: Path) -> Source:
    """Give the server's database, emptied, with keys of its own."""
    source = Source(embedded_postgres.owner_url(var), tmp_path / "keys" / "keys.json")
    keys.ensure(source.keys_file)
    with psycopg.connect(source.url) as connection:
        connection.execute(backup.EMPTY_SQL)
    return source


def run(source: Source, sql: str) -> None:
    """Run SQL as the owner."""
    with psycopg.connect(source.url) as connection:
        connection.execute(sql)


def analyze_catalogues(var: Path) -> None:
    """Do what autovacuum does after a while; from then on the catalogues come in another order."""
    embedded_postgres.run_sql(embedded_postgres.locate(var), "ANALYZE pg_class, pg_depend", database="dotdo")


def words(source: Source) -> list[str]:
    """Read the table that the tests write."""
    with psycopg.connect(source.url) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY 1").fetchall()]


def test_a_restore_brings_back_rows_keys_and_guards_and_removes_what_came_later(source: Source, tmp_path: Path) -> None:
    run(source, CONTENT)
    before, key_text = words(source), source.keys_file.read_text()
    path = backup.create(source, tmp_path / "backups", "0.1.0")
    run(source, NEWER)
    keys.write(source.keys_file, keys.generate())
    assert backup.restore(source, path) is True
    assert words(source) == before
    assert source.keys_file.read_text() == key_text
    with psycopg.connect(source.url) as connection:
        assert connection.execute("SELECT to_regclass('invented_later')").fetchone() == (None,)
        with pytest.raises(psycopg.errors.RaiseException, match="append only"):
            connection.execute("DELETE FROM ledger")


@pytest.mark.parametrize("content", [MANY_IDENTITIES, "CREATE TYPE span AS RANGE (subtype = int8)"])
def test_what_cannot_be_dropped_by_itself_goes_with_its_owner(
    content: str, var: Path, source: Source, tmp_path: Path
) -> None:
    run(source, content)
    analyze_catalogues(var)
    run(source, CONTENT)
    path = backup.create(source, tmp_path / "backups", "0.1.0")
    backup.restore(source, path)
    assert len(words(source)) == 3
    run(source, "INSERT INTO ledger (word) VALUES ('the next number')")


def test_a_backup_is_one_private_file_and_leaves_nothing_else(source: Source, tmp_path: Path) -> None:
    run(source, CONTENT)
    path = backup.create(source, tmp_path / "backups", "0.1.0")
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    manifest = backup.read_manifest(path)
    assert (manifest["version"], manifest["postgresql"]) == ("0.1.0", MAJOR)


def test_a_restore_that_fails_half_way_changes_nothing(source: Source, tmp_path: Path) -> None:
    run(source, CONTENT)
    path = backup.create(source, tmp_path / "backups", "0.1.0")
    run(source, "INSERT INTO ledger (word) VALUES ('kept')")
    keys.write(source.keys_file, keys.generate())
    key_text = source.keys_file.read_text()
    damaged = rewrite(path, tmp_path / "damaged.tar", lambda name, data: data[:-200] if name == backup.DUMP else data)
    with pytest.raises(BackupError):
        backup.restore(source, damaged)
    assert "kept" in words(source)
    assert source.keys_file.read_text() == key_text


def test_a_restore_works_while_an_idle_connection_is_open(source: Source, tmp_path: Path) -> None:
    run(source, CONTENT)
    path = backup.create(source, tmp_path / "backups", "0.1.0")
    with psycopg.connect(source.url, autocommit=True) as idle:
        idle.execute("SELECT 1")
        backup.restore(source, path)
        assert idle.execute("SELECT count(*) FROM ledger").fetchone() == (3,)


def test_a_backup_without_keys_says_so_and_leaves_the_present_ones(source: Source, tmp_path: Path) -> None:
    run(source, CONTENT)
    path = backup.create(Source(source.url, tmp_path / "nowhere.json"), tmp_path / "backups", "0.1.0")
    key_text = source.keys_file.read_text()
    assert backup.restore(source, path) is False
    assert source.keys_file.read_text() == key_text


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\0" * 10_240])
def test_something_that_is_no_backup_is_refused_by_name(content: bytes, source: Source, tmp_path: Path) -> None:
    path = tmp_path / "holiday.tar"
    path.write_bytes(content)
    with pytest.raises(BackupError, match=r"holiday\.tar is not a backup of dotdo"):
        backup.restore(source, path)


def test_a_backup_of_a_newer_format_is_refused(source: Source, tmp_path: Path) -> None:
    path = backup.create(source, tmp_path / "backups", "0.1.0")

    def newer(name: str, data: bytes) -> bytes:
        return json.dumps({"format": 99}).encode() if name == backup.MANIFEST else data

    with pytest.raises(BackupError, match="newer dotdo"):
        backup.read_manifest(rewrite(path, tmp_path / "newer.tar", newer))


def test_the_server_is_started_for_a_backup_and_stopped_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    var = tmp_path / "var"
    try:
        with backup.installation(var) as source:
            assert not backup.has_content(source)
            assert embedded_postgres.is_running(var)
        assert not embedded_postgres.is_running(var)
    finally:
        embedded_postgres.remove(var)


def test_a_database_of_the_users_own_is_backed_up_as_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://app@db/x")
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgres://owner@db/x")
    with backup.installation(tmp_path) as source:
        assert source.url == "postgres://owner@db/x"
    assert not (tmp_path / "postgres").exists()


def test_a_backup_of_an_older_major_version_is_restored_into_ours(source: Source, var: Path, tmp_path: Path) -> None:
    older = subprocess.run(
        [sys.executable, "-c", MAKE_OLDER, str(tmp_path / "older"), CONTENT, str(tmp_path / "backups")],
        env=os.environ | {"DOTDO_TEST_POSTGRES": str(min(INSTALLATIONS))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert older.returncode == 0, older.stderr
    path = Path(older.stdout.strip())
    assert backup.check(path)["postgresql"] == min(INSTALLATIONS)
    assert backup.restore(source, path) is True
    assert words(source) == ["first", "tab\tand\nline", "ünï"]
    with pytest.raises(psycopg.Error, match="append only"):
        run(source, "DELETE FROM ledger")


def test_the_limits_of_a_role_do_not_end_a_long_restore(source: Source, var: Path, tmp_path: Path) -> None:
    run(source, MANY_IDENTITIES)
    path = backup.create(source, tmp_path / "backups", "0.1.0")
    location = embedded_postgres.locate(var)
    embedded_postgres.run_sql(location, LIMIT)
    try:
        backup.restore(source, path)
    finally:
        embedded_postgres.run_sql(location, LIMIT.replace("'20ms'", "'0'"))


def test_what_workers_of_the_other_server_held_is_free_and_a_stranger_is_noticed(
    source: Source, tmp_path: Path
) -> None:
    run(source, HELD)
    backup.restore(source, backup.create(source, tmp_path / "backups", "0.1.0"))
    with psycopg.connect(source.url) as connection:
        steps = connection.execute("SELECT id, lease_expires_at < now() FROM step ORDER BY id").fetchall()
        workers = connection.execute("SELECT id, stopped_at IS NULL, stopped_at > '2026-01-02' FROM worker").fetchall()
        epoch = connection.execute("SELECT value, server, timeline FROM epoch").fetchall()
    assert steps == [(1, True), (2, None)]
    assert sorted(workers) == [(1, False, True), (2, False, False)]
    assert epoch == [(7, "restored", "")]


def test_the_programs_never_follow_connection_settings_of_the_shell(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, CONTENT)
    monkeypatch.setenv("PGOPTIONS", "-c search_path=nowhere")
    monkeypatch.setenv("PGHOST", "203.0.113.1")
    assert backup.create(source, tmp_path / "backups", "0.1.0").exists()


def rewrite(path: Path, to: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Copy a backup with changed parts."""
    with tarfile.open(path) as old, tarfile.open(to, "w") as new:
        for member in old.getmembers():
            file = old.extractfile(member)
            assert file is not None
            data = change(member.name, file.read())
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return to
