"""An operation that the database gave way with is done again, whatever it was written with."""

import threading
import uuid

import psycopg
import pytest
from django.db import transaction

from tests.support.interleaving import Doing
from tests.support.rows import run as make_run
from workflows.models import Run
from workflows.operations.together import in_one_transaction
from workflows.sql import Statement

_LOCK = Statement("SELECT id FROM run WHERE id = :run FOR UPDATE")


@pytest.mark.parametrize("raw", [True, False])
def test_a_deadlock_is_gone_through_again_also_where_raw_statements_meet_it(handlers: None, raw: bool) -> None:
    one, two = make_run().pk, make_run().pk
    met = threading.Barrier(2)
    tried = list[uuid.UUID]()

    def lock(run: uuid.UUID) -> None:
        if raw:
            _LOCK.rows({"run": run})
        else:
            Run.objects.select_for_update().get(pk=run)

    @in_one_transaction
    def both(first: uuid.UUID, second: uuid.UUID) -> None:
        lock(first)
        tried.append(first)
        if tried.count(first) == 1:
            met.wait(10)
        lock(second)

    others = [Doing(lambda: both(one, two)), Doing(lambda: both(two, one))]
    for other in others:
        other.done()
    assert len(tried) >= 3


def test_a_deadlock_inside_a_larger_transaction_is_left_to_that(handlers: None) -> None:
    @in_one_transaction
    def unlucky() -> None:
        tried.append(True)
        raise psycopg.errors.DeadlockDetected("deadlock detected")

    tried = list[bool]()
    with pytest.raises(psycopg.errors.DeadlockDetected), transaction.atomic():
        unlucky()
    assert tried == [True]
