"""Readers of the pages in every role."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from tests.support.pages import Seeded, person, seed


@pytest.fixture
def runs(handlers: None, tmp_path: Path) -> Seeded:
    """Make one run of every kind."""
    return seed(tmp_path)


@pytest.fixture
def reader(database: None) -> Callable[..., Client]:
    """Sign people in by role."""

    def make(role: str | None = "Operator", *, staff: bool = False) -> Client:
        client = Client(headers={"host": "localhost"})
        client.force_login(person(role, staff=staff))
        return client

    return make
