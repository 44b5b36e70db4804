"""Chores: each is done once per interval, whoever looks, and one that fails stops no other."""

from collections.abc import Iterator

import pytest

from tests.support.interleaving import Doing, let_all_go
from workflows import housekeeping
from workflows.housekeeping import Chore
from workflows.models import Chore as Row

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
