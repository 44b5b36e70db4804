"""Every database that a release left behind goes on with this code: each run ends as its story says."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.upgrade import golden
from tests.upgrade.installation import REPAIRED, Installation

COLUMNS = """
SELECT table_name, column_name, udt_name, is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES'
FROM information_schema.columns WHERE table_schema = 'public'
"""


@pytest.fixture(params=golden.files(), ids=lambda path: path.name.removesuffix(".tar.xz"))
def history(request: pytest.FixtureRequest, postgres: str, tmp_path: Path) -> Iterator[Installation]:
    """Give an installation with the database of a former release, not migrated yet."""
    installation = Installation(postgres, tmp_path)
    installation.create()
    golden.load(installation, request.param)
    yield installation
    installation.drop()


def columns(installation: Installation) -> dict[tuple[str, str], tuple[str, bool]]:
    """Describe every column: its type, and whether a row may be written without naming it."""
    with psycopg.connect(installation.url("dotdo_owner")) as connection:
        found = connection.execute(COLUMNS).fetchall()
    return {(table, column): (kind, free) for table, column, kind, free in found}


@pytest.mark.timeout(900)
def test_every_run_that_a_former_release_left_behind_ends_as_declared(history: Installation) -> None:
    history.migrate()
    assert "every link fits" in history.manage("verify_audit")
    with history.cluster(**REPAIRED):
        report = history.finish()
    assert report["problems"] == []
    assert report["runs"] >= 200
    assert "every link fits" in history.manage("verify_audit")


def test_migrations_only_add_what_the_code_before_them_can_leave_out(history: Installation) -> None:
    """During a rolling deployment, and after the code is rolled back, older code writes into the newer schema."""
    before = columns(history)
    history.migrate()
    after = columns(history)
    tables = {table for table, _ in before}
    assert {name: kind for name, (kind, _) in before.items()} == {
        name: after[name][0] if name in after else "gone" for name in before
    }
    added = {name: free for name, (_, free) in after.items() if name not in before and name[0] in tables}
    assert [name for name, free in added.items() if not free] == []
    tightened = [name for name, (_, free) in before.items() if free and not after[name][1]]
    assert tightened == []
