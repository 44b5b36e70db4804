"""Older code on a database that newer code has migrated says so."""

from collections.abc import Iterator

import pytest
from django.core import checks
from django.db.migrations.recorder import MigrationRecorder

Migration = MigrationRecorder.Migration


@pytest.fixture
def newer(database: None) -> Iterator[None]:
    """Let the database be one that newer code migrated; and let it be one that had another app once."""
    for app, name in (("workflows", "9999_invented_later"), ("blog", "0001_initial")):
        Migration.objects.create(app=app, name=name)
    yield
    Migration.objects.filter(name="9999_invented_later").delete()
    Migration.objects.filter(app="blog").delete()


def found() -> list[str]:
    run = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    return [message.msg for message in run if message.id == "dotdo.W085"]


@pytest.mark.usefixtures("newer")
def test_code_that_was_rolled_back_says_which_migrations_it_does_not_know() -> None:
    assert found() == ["Newer code has migrated this database: workflows.9999_invented_later."]


@pytest.mark.usefixtures("database")
def test_code_that_matches_its_database_says_nothing() -> None:
    assert found() == []
