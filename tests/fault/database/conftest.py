"""A server of these tests' own, which they stop, fill and set wrong."""

from collections.abc import Iterator
from typing import Any

import pytest

from actions import registry, sync
from dotdo_site import embedded_postgres
from tests.support import own_database
from tests.support.own_database import OwnDatabase


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnDatabase]:
    """Run one more server for the whole session."""
    made = own_database.make(tmp_path_factory.mktemp("own") / "var")
    yield made
    embedded_postgres.remove(made.var)


@pytest.fixture
def own(own_server: OwnDatabase, django_db_blocker: Any) -> Iterator[OwnDatabase]:
    """Point Django at the own server, its database emptied; a server that a test left stopped runs again."""
    if not own_server.server.is_alive():
        own_server.start()
    own_database.empty(own_server)
    host = str(embedded_postgres.locate(own_server.var).sockets)
    with django_db_blocker.unblock(), own_database.pointed_at(host):
        yield own_server


@pytest.fixture
def own_handlers(own: OwnDatabase) -> OwnDatabase:
    """Publish the tests' own actions on the own server."""
    registry.discover()
    sync.sync(registry.specs(), actor="system")
    return own
