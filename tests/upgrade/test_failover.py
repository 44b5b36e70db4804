"""A standby that takes over without the last commits: claims go back, fences do not."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dotdo_site import embedded_postgres
from dotdo_site.postgres_programs import EmbeddedPostgresError
from tests.support.cluster import until
from tests.upgrade.installation import TABLES, Installation

START = """
from workflows import operations
operations.start_action("world-flaky", {"of": "x"}, actor="system", trigger="test")
"""
DAY_PASSES = "UPDATE step SET due_at = now() WHERE state = 'ready'"
WORK = "from workflows import worker; worker.work()"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Give the folders of two servers; the second one is nothing yet."""
    folders = (tmp_path / "primary", tmp_path / "standby")
    yield folders
    for folder in folders:
        embedded_postgres.remove(folder)


def copy_data(primary: Path, standby: Path) -> None:
    """Make the standby a copy of the stopped primary, which will be promoted to a timeline of its own."""
    embedded_postgres.start(standby)
    embedded_postgres.stop(standby)
    data = embedded_postgres.locate(standby).data
    owner = data.stat()
    shutil.rmtree(data)
    shutil.copytree(embedded_postgres.locate(primary).data, data)
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = 'false'\n")
    (data / "recovery.signal").touch()
    for path in (data, *data.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)


def start_promoted(folder: Path) -> bool:
    """Start a server that is promoted while it starts: until then it refuses to be written to."""
    try:
        embedded_postgres.start(folder)
    except EmbeddedPostgresError:
        return False
    return True


@pytest.mark.timeout(300)
def test_a_standby_that_takes_over_without_the_last_commits_hands_out_larger_fences(
    servers: tuple[Path, Path], tmp_path: Path
) -> None:
    primary, standby = servers
    embedded_postgres.start(primary)
    installation = Installation(embedded_postgres.superuser_url(primary), tmp_path)
    installation.create()
    installation.migrate()
    installation.execute(TABLES)
    _do(installation, START, WORK)

    embedded_postgres.stop(primary)
    copy_data(primary, standby)
    embedded_postgres.start(primary)
    for _ in range(3):
        installation.execute(DAY_PASSES)
        _do(installation, WORK)
    embedded_postgres.stop(primary)

    until(lambda: start_promoted(standby), 60)
    installation.server = embedded_postgres.superuser_url(standby)
    installation.execute(DAY_PASSES)
    _do(installation, WORK)
    heard = [line.split() for line in (tmp_path / "sink").read_text().splitlines()]
    assert len({key for _, _, key, _ in heard}) == 1, "one effect, one key"
    fences = [int(fence) for *_, fence in heard]
    assert len(fences) == 5
    assert fences == sorted(set(fences))
    assert [fence % 2**22 for fence in fences] == [1, 2, 3, 4, 2], "the claims did go back"
    with psycopg.connect(installation.url("dotdo_owner")) as connection:
        raised = connection.execute("SELECT count(*) FROM audit_event WHERE kind = 'epoch.raised'").fetchone()
    assert raised == (1,)


def _do(installation: Installation, *scripts: str) -> None:
    installation.manage("shell", "-c", "\n".join(scripts))
