"""What the application may do to its own trail: read, append, and ask for a pruning."""

import uuid
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.utils import Error

from audit import sealing
from tests.integration.audit.trails import chain

TABLES = ("audit_event", "audit_seal", "audit_sealed_head", "audit_tombstone")
CHANGES = ("UPDATE {} SET hash = hash", "DELETE FROM {}", "TRUNCATE {} CASCADE")
TOMBSTONE = (
    "INSERT INTO audit_tombstone (chain, seq, hash, first_at, last_at, at, batch, export) "
    "VALUES ('{}', 0, '', now(), now(), now(), gen_random_uuid(), '')"
)


@pytest.fixture(autouse=True)
def trail(database: None) -> uuid.UUID:
    name = chain(2)
    sealing.seal()
    return name


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES)
def test_the_application_can_change_nothing_of_the_trail(table: str, change: str) -> None:
    with connection.cursor() as cursor, pytest.raises(Error, match="permission denied"):
        cursor.execute(change.format(table))


def test_the_application_cannot_make_a_tombstone() -> None:
    with connection.cursor() as cursor, pytest.raises(Error, match="permission denied"):
        cursor.execute(TOMBSTONE.format(uuid.uuid4()))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES)
def test_not_even_the_owner_of_the_tables_can(
    superuser: "psycopg.Connection[Any]", trail: uuid.UUID, table: str, change: str
) -> None:
    superuser.execute(TOMBSTONE.format(uuid.uuid4()))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        superuser.execute(change.format(table))


def test_a_tombstone_alone_lets_no_link_go(superuser: "psycopg.Connection[Any]", trail: uuid.UUID) -> None:
    superuser.execute(TOMBSTONE.format(trail))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        superuser.execute("DELETE FROM audit_event")
    superuser.execute("SET dotdo.pruning = 'on'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        superuser.execute("DELETE FROM audit_event WHERE seq = 1")


def test_only_the_application_may_ask_for_a_pruning(superuser: "psycopg.Connection[Any]") -> None:
    signature = "audit_prune(uuid[], timestamptz, uuid, text)"
    row = superuser.execute(
        "SELECT has_function_privilege('dotdo', %s, 'EXECUTE'), prosecdef, proconfig, proacl::text LIKE '%%{=X%%' "
        "FROM pg_proc WHERE oid = %s::regprocedure",
        [signature, signature],
    ).fetchone()
    assert row == (True, True, ["search_path=pg_catalog, pg_temp"], False)
