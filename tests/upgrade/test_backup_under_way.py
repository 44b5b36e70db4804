"""A backup that is taken while everything is under way goes on elsewhere, although its host goes on for a while."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dotdo_site import backup
from dotdo_site.backup import Source
from tests.support.cluster import until
from tests.upgrade.installation import REPAIRED, Installation, begin_world, lose, settle_world

SCALE = 0.5
LONG_LEASE = "600"
DAY_PASSES = "UPDATE step SET due_at = now() WHERE state = 'ready' AND kind = 'call' AND due_at > now()"
HELD = "SELECT count(*), count(*) FILTER (WHERE lease_expires_at > now()) FROM step WHERE state = 'running'"
GHOSTS = "SELECT count(*) FROM worker WHERE stopped_at IS NULL"


@pytest.fixture
def here(postgres: str, tmp_path: Path) -> Iterator[Installation]:
    """Give the installation that will be lost."""
    yield from _installation(Installation(postgres, tmp_path / "here", scale=SCALE, sink=tmp_path / "sink"))


@pytest.fixture
def elsewhere(postgres: str, tmp_path: Path) -> Iterator[Installation]:
    """Give the installation that takes over: the world outside is the same."""
    yield from _installation(Installation(postgres, tmp_path / "elsewhere", sink=tmp_path / "sink"))


def _installation(made: Installation) -> Iterator[Installation]:
    made.folder.mkdir()
    made.create()
    yield made
    made.drop()


def ask(installation: Installation, query: str) -> tuple[int, ...]:
    with psycopg.connect(installation.url("dotdo_owner"), autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return tuple(row)


@pytest.mark.timeout(900)
def test_a_backup_taken_in_the_midst_goes_on_elsewhere_and_repeats_only_under_the_same_keys(
    here: Installation, elsewhere: Installation, tmp_path: Path
) -> None:
    here.migrate()
    begin_world(here)
    with here.cluster(DOTDO_LEASE_SECONDS=LONG_LEASE, DOTDO_WORKERS="6") as process:
        settle_world(here)
        here.world("make", "start", "stopped")
        path = backup.create(_source(here), tmp_path / "backups", "0.1.0")
        here.world("make", "manifest")
        heard = _heard(tmp_path)
        here.execute(DAY_PASSES)  # what this host still does is lost, but the outside hears of it
        until(lambda: _heard(tmp_path) >= heard + 5, 30)
        lose(process)
    heard = _heard(tmp_path)

    assert backup.restore(_source(elsewhere), path)
    assert (ask(elsewhere, HELD)[0] >= 2, ask(elsewhere, HELD)[1]) == (True, 0), "nobody holds anything"
    assert ask(elsewhere, GHOSTS) == (0,)
    for name in ("key", "manifest.json"):
        (elsewhere.folder / name).write_bytes((here.folder / name).read_bytes())
    elsewhere.migrate()
    with elsewhere.cluster(**REPAIRED):
        report = elsewhere.finish()
    assert report["problems"] == []
    assert "every link fits" in elsewhere.manage("verify_audit")
    assert _heard(tmp_path) > heard


def _heard(folder: Path) -> int:
    """Count what the outside was told."""
    return len((folder / "sink").read_text().splitlines())


def _source(installation: Installation) -> Source:
    return Source(installation.url("dotdo_owner"), installation.folder / "keys" / "keys.json")
