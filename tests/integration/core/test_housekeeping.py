"""Chores: each is done once per interval, whoever looks, and one that fails stops no other."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from dotdo_site.lib.database_errors import OPERATIONAL
from tests.support.interleaving import Doing, let_all_go
from workflows import housekeeping
from workflows.housekeeping import Chore
from workflows.models import Chore as Row
from workflows.outage import is_away

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _nobody_waits() -> Iterator[None]:
    yield
    let_all_go()


def test_a_chore_is_done_at_once_and_then_when_it_is_due_again() -> None:
    rounds: list[str] = []
    chores = (Chore("sweep", lambda: 3600.0, lambda: rounds.append("sweep")),)
    assert housekeeping.do_due(chores) == ["sweep"]
    assert housekeeping.do_due(chores) == []
    Row.objects.update(next_at="2000-01-01T00:00:00Z")
    assert housekeeping.do_due(chores) == ["sweep"]
    assert rounds == ["sweep", "sweep"]


def test_a_chore_that_fails_says_why_and_stops_no_other() -> None:
    def fail() -> None:
        raise ValueError("the broom is broken")

    done: list[str] = []
    chores = (Chore("first", lambda: 60.0, fail), Chore("second", lambda: 60.0, lambda: done.append("second")))
    housekeeping.do_due(chores)
    assert done == ["second"]
    assert Row.objects.get(name="first").error == "ValueError: the broom is broken"
    assert Row.objects.get(name="second").error == ""


def test_of_many_hosts_one_does_the_round() -> None:
    rounds: list[str] = []
    chores = (Chore("sweep", lambda: 3600.0, lambda: rounds.append("sweep")),)
    for host in [Doing(lambda: housekeeping.do_due(chores)) for _ in range(8)]:
        host.done()
    assert rounds == ["sweep"]


def _too_long() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(5)")


def _locked() -> None:
    holder = connection.copy()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            holder.set_autocommit(autocommit=False)
            holder.cursor().execute("LOCK TABLE chore IN ROW EXCLUSIVE MODE")
            cursor.execute("SET LOCAL lock_timeout = '50ms'; LOCK TABLE chore")
    finally:
        holder.close()


@pytest.mark.parametrize(
    ("fail", "error"), [(_too_long, "statement timeout"), (_locked, "lock timeout")], ids=["time", "lock"]
)
def test_a_chore_whose_statement_meets_a_limit_says_so_and_stops_no_other(fail: Callable[[], None], error: str) -> None:
    done: list[str] = []
    chores = (Chore("first", lambda: 60.0, fail), Chore("second", lambda: 60.0, lambda: done.append("second")))
    assert housekeeping.do_due(chores) == ["first", "second"]
    assert error in Row.objects.get(name="first").error
    assert done == ["second"]


def test_a_connection_that_is_lost_is_no_error_of_the_chore() -> None:
    def lose() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(OPERATIONAL) as lost:
        housekeeping.do_due((Chore("first", lambda: 60.0, lose),))
    connection.close()
    assert is_away(lost.value)
    assert Row.objects.get(name="first").error == ""


def test_a_chore_that_was_claimed_while_the_clock_was_in_the_future_is_due() -> None:
    chores = (Chore("sweep", lambda: 60.0, lambda: None),)
    housekeeping.do_due(chores)
    assert housekeeping.do_due(chores) == []
    Row.objects.update(next_at=timezone.now() + timedelta(days=30))
    assert housekeeping.do_due(chores) == ["sweep"]
    assert Row.objects.get().next_at < timezone.now() + timedelta(seconds=61)


@pytest.mark.parametrize("name", ["_CLAIM", "_NOTE"])
def test_bookkeeping_waits_for_no_disk_and_leaves_nothing_in_the_session(name: str) -> None:
    values = {"name": "sweep", "seconds": 60.0, "too_far": 65.0, "error": ""}
    housekeeping._CLAIM.rows(values)
    Row.objects.update(next_at="2000-01-01T00:00:00Z")
    with transaction.atomic():
        getattr(housekeeping, name).rows(values)
        assert _synchronous() == "off"
    assert _synchronous() == "on"


def _synchronous() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return str(cursor.fetchone()[0])
