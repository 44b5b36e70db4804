"""A backup of nothing, and a restore that fails when the backup is in place already: what people are told."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from dotdo_site import backup, embedded_postgres
from dotdo_site.launch import backups
from dotdo_site.launch.checkout import LaunchError

HERE = "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give an installation."""
    monkeypatch.setenv("DOTDO_VAR", str(tmp_path / "var"))
    yield tmp_path / "var"
    embedded_postgres.remove(tmp_path / "var")


def content(var: Path, statement: str = "") -> str:
    """Run a statement as the owner, and name the tables there are."""
    server = embedded_postgres.start(var)
    location = embedded_postgres.locate(var)
    if statement:
        embedded_postgres.run_sql(location, f"SET ROLE dotdo_owner; {statement}", database="dotdo")
    found = embedded_postgres.run_sql(location, HERE, database="dotdo")
    server.stop()
    return found


def test_a_migration_that_fails_after_the_restore_is_told_apart_from_a_restore_that_failed(var: Path) -> None:
    content(var, "CREATE TABLE kept (); CREATE TABLE step ()")  # which a migration wants to make
    with backup.installation(var) as source:
        path = backup.create(source, var / "backups", "0")
    assert content(var, "DROP TABLE kept, step; CREATE TABLE newer ()") == "newer"
    with pytest.raises(LaunchError) as told:
        backups.restore(argparse.Namespace(file=str(path), yes=True))
    assert "was replaced" in str(told.value)
    assert "nothing was replaced" not in str(told.value)
    tables = content(var).split(",")
    assert ("kept" in tables, "newer" in tables) == (True, False)


def test_nobody_believes_in_a_backup_of_a_folder_where_nothing_was_ever_started(var: Path) -> None:
    with pytest.raises(LaunchError, match="DOTDO_VAR"):
        backups.back_up(argparse.Namespace())
    assert not list(var.glob("backups/*.tar"))
