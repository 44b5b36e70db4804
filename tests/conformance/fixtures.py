"""A database with the table's actions and two connections; everything else is taken away before each case.

Rows are deleted, not truncated, and definitions of actions stay: with hundreds of cases that is most of the time.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from actions import registry, secrets, sync
from actions.models import Connection
from tests.conformance.publishing import CONNECTIONS
from tests.conformance.standin import HOSTS
from tests.support import answers
from tests.support.emptying import EMPTY, KEPT, emptying

REST = emptying(f"NOT IN {(*KEPT, 'action', 'action_version', 'connection')!r}")


@pytest.fixture(scope="module")
def published(django_db_setup: None, django_db_blocker: Any, postgres: str) -> Iterator[None]:
    """Empty the database, publish the table's actions and make the connections that cases may use."""
    from django.db import connections

    with psycopg.connect(postgres, dbname="dotdo", autocommit=True) as superuser:
        superuser.execute(EMPTY)
    with django_db_blocker.unblock():
        sync.sync([spec for spec in registry.specs() if spec.name in answers.NAMES], actor="system")
        for name, secret in CONNECTIONS.items():
            secrets.set_secret(Connection(name=name, allowed_hosts=list(HOSTS)), secret, actor="system")
        yield
        connections.close_all()


@pytest.fixture
def functions(published: None, django_db_blocker: Any, superuser: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Take away what the case before left."""
    from workflows import programs

    superuser.execute(REST)
    for cache in (programs.action_by_id, programs.action_called, programs.workflow_program, programs.action_program):
        cache.cache_clear()
