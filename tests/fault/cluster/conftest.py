"""What the tests with whole clusters share: a database that is emptied once, because a cluster works on it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections

from actions import registry, sync
from tests.fault.cluster import handlers
from tests.support.emptying import EMPTY
from workflows import programs


@pytest.fixture(scope="module")
def empty(django_db_setup: None, django_db_blocker: Any, postgres: str) -> Iterator[None]:
    """Empty the database for a whole module and publish the actions of this folder."""
    with psycopg.connect(postgres, dbname="dotdo", autocommit=True) as superuser:
        superuser.execute(EMPTY)
    for cache in (programs.action_by_id, programs.action_called, programs.workflow_program, programs.action_program):
        cache.cache_clear()
    assert handlers.__name__ == "tests.fault.cluster.handlers", "importing it registers its actions"
    with django_db_blocker.unblock():
        registry.discover()
        sync.sync(registry.specs(), actor="system")
        yield
        connections.close_all()
