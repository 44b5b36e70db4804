"""Readers of the pages in every role."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from tests.support.emptying import Superuser
from tests.support.pages import Seeded, person, seed
from workflows.queries import filtering


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs be counted however busy the machine is."""
    monkeypatch.setattr(filtering, "TALLY_SECONDS", 5.0)
    monkeypatch.setattr(filtering, "BY_STATE_SECONDS", 5.0)


@pytest.fixture
def runs(handlers: None, database: Superuser, tmp_path: Path) -> Seeded:
    """Make one run of every kind."""
    return seed(database, tmp_path)


@pytest.fixture
def reader(database: None) -> Callable[..., Client]:
    """Sign people in by role."""

    def make(role: str | None = "Operator", *, staff: bool = False) -> Client:
        client = Client(headers={"host": "localhost"})
        client.force_login(person(role, staff=staff))
        return client

    return make
