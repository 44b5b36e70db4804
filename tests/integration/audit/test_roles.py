"""What the application may do to its own trail: read, append, and ask for a pruning."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.utils import Error
from django.urls import reverse

from audit import sealing
from audit.models import Anchor, Tombstone
from tests.integration.api.conftest import Caller
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


def test_the_admin_shows_seals_anchors_and_tombstones_and_changes_none(
    superuser: "psycopg.Connection[Any]", signed_in: Callable[[str | None], Caller], trail: uuid.UUID
) -> None:
    superuser.execute(TOMBSTONE.format(uuid.uuid4()))
    Anchor.objects.create(target="file /srv/anchor", upto=-1, error="No space left", failures=3)
    person = signed_in("Auditor")
    User.objects.update(is_staff=True)
    keys = {"seal": 0, "anchor": Anchor.objects.get().pk, "tombstone": Tombstone.objects.get().pk}
    for name, words in (("seal", "seal 0"), ("anchor", "No space left"), ("tombstone", "pruned")):
        assert person.client.get(f"/admin/audit/{name}/").status_code == 200
        page = person.client.get(reverse(f"admin:audit_{name}_change", args=[keys[name]]))
        assert page.status_code == 200
        assert words in page.content.decode()
        assert person.client.post(page.request["PATH_INFO"], {}).status_code == 403
        assert person.client.get(f"/admin/audit/{name}/add/").status_code == 403
