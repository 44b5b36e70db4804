"""Sealing beside writers: what commits late is not missed, and nobody waits for anybody."""

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings as configured
from django.db import connection, connections, transaction
from pytest_django import Settings

from audit import sealing
from audit.models import AuditEvent, Seal, SealedHead
from audit.recording import record
from dotdo_site import embedded_postgres
from dotdo_site.lib.ids import uuid7
from tests.integration.audit.trails import Superuser, behind, chain, extend, following, verify

pytestmark = pytest.mark.usefixtures("database")
Other = psycopg.Connection[tuple[Any, ...]]
INSERT = """
    INSERT INTO audit_event (id, chain, seq, run, kind, actor, reason, at, data, hash)
    OVERRIDING SYSTEM VALUE VALUES (coalesce(%(id)s, nextval('audit_event_id_seq')), %(chain)s, %(seq)s, %(run)s,
        %(kind)s, %(actor)s, %(reason)s, %(at)s, %(data)s, %(hash)s)
"""


@pytest.fixture
def other(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Other]:
    """Connect a writer of the application that commits when it likes; sealing does not wait long for it."""
    monkeypatch.setattr(sealing, "PATIENCE_SECONDS", 0.1)
    with psycopg.connect(embedded_postgres.application_url(configured.VAR_DIR)) as found:
        yield found


def write(other: Other, name: uuid.UUID, number: int | None = None) -> None:
    other.execute(INSERT, following(name, 1, run=uuid7())[0] | {"id": number})


def sealed() -> set[uuid.UUID]:
    return set(SealedHead.objects.values_list("chain", flat=True))


def test_an_event_that_commits_behind_a_seal_with_a_larger_id_is_in_the_next_one(other: Other) -> None:
    late, early = uuid7(), uuid7()
    write(other, late)
    extend(early, 1, run=uuid7())
    first = sealing.seal()[-1]
    assert sealed() == {early}
    other.commit()
    ids = dict(AuditEvent.objects.values_list("chain", "id"))
    assert ids[late] < ids[early] <= first.reach
    assert first.horizon < ids[late]
    sealing.seal()
    assert sealed() == {early, late}
    assert verify() == "whole"


def test_a_writer_that_has_an_id_but_no_transaction_id_yet_is_waited_for(other: Other) -> None:
    late = uuid7()
    extend(uuid7(), 1, run=uuid7())
    other.execute("LOCK TABLE audit_event IN ROW EXCLUSIVE MODE")  # as INSERT does before it takes the id
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('audit_event_id_seq')")  # what the writer takes, without the write of its own
        taken = cursor.fetchone()[0]
        row = other.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()
        assert row == (None,)
    extend(uuid7(), 1, run=uuid7())
    first = sealing.seal()[-1]
    assert first.horizon < taken < first.reach
    write(other, late, taken)
    other.commit()
    sealing.seal()
    assert late in sealed()
    assert verify() == "whole"


def test_a_writer_of_a_savepoint_is_not_missed(other: Other) -> None:
    late = uuid7()
    other.execute("SAVEPOINT a")
    write(other, late)
    other.execute("RELEASE SAVEPOINT a")
    chain(1)
    sealing.seal()
    other.commit()
    sealing.seal()
    assert late in sealed()
    assert verify() == "whole"


def test_a_writer_that_hangs_holds_up_neither_seals_nor_other_writers(other: Other) -> None:
    write(other, uuid7())
    for number in range(3):
        chain(2)
        assert [made.number for made in sealing.seal()] == [number]
    other.rollback()
    chain(1)
    last = sealing.seal()[-1]
    assert last.horizon == last.reach
    assert verify() == "whole"


def test_once_the_writers_are_done_the_next_seal_does_not_look_back(other: Other) -> None:
    write(other, uuid7())
    chain(2)
    assert sealing.seal()[-1].horizon == 0
    other.commit()
    made = sealing.seal()[-1]
    assert made.horizon == made.reach == AuditEvent.objects.order_by("-id").values_list("id", flat=True)[0]


def test_seals_among_many_writers_miss_nothing() -> None:
    over, wrong = threading.Event(), list[BaseException]()

    def keep_writing() -> None:
        try:
            while not over.is_set():
                with transaction.atomic():
                    record(chain=uuid7(), kind="run.started", actor="test", run=uuid7())
                    time.sleep(0.003)  # others commit meanwhile
        except BaseException as error:  # noqa: BLE001 - told by the test
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=keep_writing) for _ in range(4)]
    for thread in threads:
        thread.start()
    seals = [made for _ in range(15) for made in sealing.seal()]
    over.set()
    for thread in threads:
        thread.join()
    sealing.seal()
    assert not wrong
    assert len(seals) > 5
    assert sealed() == set(AuditEvent.objects.values_list("chain", flat=True))
    assert SealedHead.objects.count() == len(sealed())
    assert verify() == "whole"


def test_two_who_seal_at_once_make_one_chain_of_seals() -> None:
    for _ in range(20):
        chain(2)
    start = threading.Barrier(2)

    def seal() -> None:
        start.wait()
        sealing.seal()
        connections.close_all()

    threads = [threading.Thread(target=seal) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(Seal.objects.values_list("number", flat=True)) == [0]
    assert verify() == "whole"


def test_a_long_backlog_is_sealed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "WINDOW", 7)
    for _ in range(6):
        chain(5)
    assert len(sealing.seal(at_most=2)) == 2
    assert verify() == "whole"
    assert [made.reach for made in sealing.seal()] == [21, 28, 30]
    assert len(sealed()) == 6
    assert verify() == "whole"


def test_a_window_without_events_does_not_stop_the_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "WINDOW", 5)
    with connection.cursor() as cursor:
        for _ in range(12):  # ids of writers that were rolled back
            cursor.execute("SELECT nextval('audit_event_id_seq')")
    name = chain(1)
    sealing.seal()
    assert sealed() == {name}
    assert verify() == "whole"


def test_only_heads_that_changed_are_sealed_again() -> None:
    first, second = chain(3), chain(3)
    sealing.seal()
    assert sealing.seal() == []
    extend(second, 1)
    sealing.seal()
    heads = SealedHead.objects.order_by("seal", "chain").values_list("seal", "chain", "seq")
    assert list(heads) == [(0, first, 2), (0, second, 2), (1, second, 3)]


def test_a_new_key_is_used_at_once_and_vouches_for_what_was_sealed_before(settings: Settings) -> None:
    chain(2)
    sealing.seal()
    settings.AUDIT_SIGNING_KEY = "A" * 43 + "="
    assert "not trusted here" in verify()
    assert [made.count for made in sealing.seal()] == [0]
    assert verify() == "whole"
    settings.AUDIT_SIGNING_KEY = ""
    assert verify() == "whole"


def test_seals_are_made_when_they_are_due(settings: Settings) -> None:
    settings.AUDIT_SEAL_SECONDS = 3600.0
    chain(1)
    sealing.seal_due()
    chain(1)
    sealing.seal_due()
    assert Seal.objects.count() == 1
    settings.AUDIT_SEAL_SECONDS = 0.0
    sealing.seal_due()
    assert Seal.objects.count() == 2


def test_a_clock_that_was_once_in_the_future_does_not_stop_the_seals_until_then(
    settings: Settings, superuser: Superuser
) -> None:
    settings.AUDIT_SEAL_SECONDS = 3600.0
    chain(1)
    sealing.seal_due()
    behind(superuser, "UPDATE audit_seal SET at = now() + interval '10 years'")
    chain(1)
    sealing.seal_due()
    assert Seal.objects.count() == 2
