"""What begins a transaction in one message: that it does, in every state in which a connection may be."""

import uuid

import pytest
from django.db import OperationalError, connection, transaction
from psycopg import errors, pq

from tests.support.engine import start_action
from workflows import at_once
from workflows.models import Step

pytestmark = pytest.mark.usefixtures("handlers")
FOUND = at_once.Opening("SELECT :number::int FROM step WHERE id = :step FOR UPDATE")
KEY = "INSERT INTO entry (namespace, key, value, version, updated_at) VALUES ('once', 'one', '1', 1, now())"


@pytest.fixture
def values() -> dict[str, uuid.UUID | int]:
    start_action("test-echo", {"value": 1})
    return {"step": Step.objects.get().id, "number": 5}


def status() -> int:
    return int(connection.connection.pgconn.transaction_status)


def begun(values: dict[str, uuid.UUID | int], *others: str) -> int:
    """Begin in a transaction of Django's, which then commits, and leaves none open."""
    with transaction.atomic():
        rows = FOUND.begin(values, *others)
        assert status() == pq.TransactionStatus.INTRANS
    assert status() == pq.TransactionStatus.IDLE
    return rows


def test_it_tells_whether_the_row_is_there_each_time(values: dict[str, uuid.UUID | int]) -> None:
    assert [begun(values), begun(values), begun(values | {"step": uuid.uuid4()})] == [1, 1, 0]


def test_it_works_where_nothing_is_prepared(values: dict[str, uuid.UUID | int]) -> None:
    connection.connection.prepare_threshold = None
    assert begun(values, "SAVEPOINT one") == 1
    connection.close()


def test_it_works_when_all_that_was_prepared_is_gone(values: dict[str, uuid.UUID | int]) -> None:
    begun(values)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert begun(values, "SAVEPOINT one") == 1
    assert begun(values) == 1


def test_it_works_where_a_pooler_has_other_names_for_what_was_prepared(
    values: dict[str, uuid.UUID | int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []

    def elsewhere(_raw: object, text: str) -> str:
        prepared.append(text)
        return "known_by_another_name"

    monkeypatch.setattr(at_once, "_prepared", elsewhere)
    connection.close()
    assert [begun(values, "SAVEPOINT one"), begun(values)] == [1, 1]
    assert len(prepared) == 1, "it is not tried each time"
    connection.close()


def test_of_two_that_were_deallocated_neither_is_taken_for_the_other(values: dict[str, uuid.UUID | int]) -> None:
    nobody = at_once.Opening("SELECT :number::int FROM step WHERE id = :step AND false")
    for _ in range(2):
        for opening, rows in ((FOUND, 1), (nobody, 0)):
            with transaction.atomic():
                assert opening.begin(values) == rows
        with connection.cursor() as cursor:
            cursor.execute("DEALLOCATE ALL")
        assert begun(values) == 1, "prepared again alone"


def test_it_joins_a_transaction_that_has_begun(values: dict[str, uuid.UUID | int]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(KEY)
        assert FOUND.begin(values, "SAVEPOINT one") == 1
        transaction.set_rollback(True)
    assert begun(values, KEY) == 1, "the first one was not kept, so there is no violation"


def test_what_stands_behind_a_failure_is_not_done(values: dict[str, uuid.UUID | int]) -> None:
    with pytest.raises(errors.UniqueViolation), transaction.atomic():
        FOUND.begin(values, KEY, KEY, "COMMIT")
    assert begun(values, KEY) == 1


def test_a_connection_that_was_lost_is_said_to_be(values: dict[str, uuid.UUID | int]) -> None:
    connection.ensure_connection()
    connection.connection.pgconn.finish()
    with pytest.raises((errors.OperationalError, OperationalError)), transaction.atomic():
        FOUND.begin(values)
    connection.close()
    assert begun(values) == 1
