"""The tests' database: an embedded PostgreSQL of its own, migrated by the owner role, used by the application role.

Tests that need committed rows (other processes read them) ask for `database`: it empties the tables first. Tests that
need one connection only ask for pytest-django's `db`, which rolls back.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import hypothesis
import psycopg
import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent
# Each of several pytest processes (`-n`) has a server of its own.
VAR = Path(os.environ.get("DOTDO_TEST_VAR", ROOT / "var" / "test"), os.environ.get("PYTEST_XDIST_WORKER", ""))
os.environ["DOTDO_VAR"] = str(VAR)
if settings.configured:
    raise pytest.UsageError(
        "unset DJANGO_SETTINGS_MODULE: pytest-django read the settings before the tests made theirs"
    )
os.environ["DJANGO_SETTINGS_MODULE"] = "dotdo_site.settings"
os.environ["DOTDO_DEVELOPMENT"] = "0"
os.environ["DOTDO_ACTION_MODULES"] = "tests.support.handlers"
os.environ.pop("DATABASE_URL", None)
# What takes longest comes first: of several processes none is left with it while the others have nothing more to do.
LONG = ("upgrade", "fault", "e2e", "integration/test_", "integration/demo")
_left: list[bool] = []  # whether a test has committed rows since the tables were emptied

from dotdo_site import embedded_postgres, keys  # noqa: E402 - the environment comes first
from tests.support.emptying import Emptier, Superuser  # noqa: E402

hypothesis.settings.register_profile("tests", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("tests")
keys.ensure(VAR / "keys" / "keys.json")
django.setup()
# Each of several pytest processes comes here by itself, and must find no settings read.
del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_configure(config: pytest.Config) -> None:
    """Name the settings for programs that tests start, unless this process only shares the tests out."""
    if "PYTEST_XDIST_WORKER" in os.environ or not config.getoption("numprocesses", default=None):
        os.environ["DJANGO_SETTINGS_MODULE"] = "dotdo_site.settings"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long tests first, in the order of their folders."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, name in enumerate(LONG) if item.nodeid.startswith(f"tests/{name}")), len(LONG))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start the tests' PostgreSQL with a fresh, migrated database; yield the superuser's URL."""
    server = embedded_postgres.start(VAR, follow_parent=True)
    url = embedded_postgres.superuser_url(VAR)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS dotdo WITH (FORCE)")
        connection.execute("CREATE DATABASE dotdo OWNER dotdo_owner")
    owner = os.environ | {"DATABASE_URL": embedded_postgres.owner_url(VAR), "DOTDO_APPLICATION_ROLE": "dotdo"}
    subprocess.run(
        [sys.executable, ROOT / "manage.py", "migrate", "-v0", "--skip-checks"], env=owner, check=True, cwd=ROOT
    )
    yield url
    server.stop()


@pytest.fixture(scope="session")
def django_db_setup(postgres: str) -> None:
    """Give pytest-django the database that is there instead of one that it makes."""


@pytest.fixture(scope="session")
def emptier(postgres: str) -> Iterator[Emptier]:
    """Keep what empties the tables."""
    kept = Emptier(postgres)
    yield kept
    kept.close()


@pytest.fixture
def superuser(postgres: str) -> Iterator[Superuser]:
    """Connect to the tests' database as the superuser, to look behind the application's back."""
    with psycopg.connect(postgres, dbname="dotdo", autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> None:
    """Empty the tables before a test that rolls back, when one before it may have committed rows."""
    rolls_back = "db" in request.fixturenames or request.node.get_closest_marker("django_db")
    if rolls_back and _left and "database" not in request.fixturenames:
        request.getfixturevalue("emptier").empty()
        _left.clear()
    elif not rolls_back and not _left:
        _left.append(True)  # it may drive an installation, or share what a whole folder has set up


@pytest.fixture
def database(django_db_setup: None, django_db_blocker: Any, emptier: Emptier) -> Iterator[Superuser]:
    """Allow real commits on an emptied database; give the superuser's connection that emptied it."""
    from django.db import connections

    from workflows import programs

    kept = emptier.empty()
    _left.append(True)
    for cache in (programs.action_by_id, programs.action_called, programs.workflow_program, programs.action_program):
        cache.cache_clear()  # definitions never go away, but in tests
    with django_db_blocker.unblock():
        yield kept
        connections.close_all()


@pytest.fixture
def handlers(database: Superuser) -> None:
    """Publish the tests' own actions."""
    from tests.support.published import publish

    publish(database)
