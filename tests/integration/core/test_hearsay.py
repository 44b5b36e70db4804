"""Hints by hearsay: what is notified is passed on unasked, and nothing else of what a broker promises is lost by it."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction
from pytest_django import Settings

from dotdo_site import embedded_postgres
from tests.support.engine import start_action
from tests.support.interleaving import Doing
from workflows import broker, claim, identity, scheduling, wake, worker
from workflows.broker import HintBroker

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the broker asked what is due."""
    moments: list[float] = []

    def pairs() -> list[tuple[str, int, float]]:
        moments.append(time.monotonic())
        return found()

    found = claim.pairs
    monkeypatch.setattr(claim, "pairs", pairs)
    return moments


@pytest.fixture
def idle() -> Iterator[HintBroker]:
    """Give a broker that listens and knows of nothing."""
    hints = HintBroker()
    hints._listener.listen()
    yield hints
    connection.close()


def soon() -> None:
    time.sleep(0.1)
    wake.workers()


def heard(hints: HintBroker) -> bool:
    """Notify while the broker sleeps; tell whether that gave a hint."""
    notifying = Doing(soon)
    found = hints.dequeue()
    notifying.done()
    return found is not None


def test_what_is_heard_is_passed_on_without_asking_what_is_due(idle: HintBroker, asked: list[float]) -> None:
    assert heard(idle)
    assert len(asked) == 1, "before it slept"


def test_a_worker_that_was_woken_has_the_time_to_claim_before_another_one_is(
    idle: HintBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "CLAIMING_SECONDS", 0.2)
    monkeypatch.setattr(broker, "UNASKED_SECONDS", 1.0)
    assert heard(idle)
    start_action("test-echo", {"value": 1})
    idle._listener.discard()
    working = Doing(worker.work)
    assert idle.dequeue() is None
    working.done()


@pytest.mark.parametrize("ask", [claim.pairs, lambda: claim.take_first((), uuid.uuid4(), 30.0)], ids=["usual", "hot"])
def test_what_is_notified_while_the_broker_asks_is_heard(idle: HintBroker, ask: Callable[[], object]) -> None:
    """It comes in beside the answer, before anybody listens for it again, and no other one follows."""
    Doing(wake.workers).done()
    ask()
    begun = time.monotonic()
    assert idle._listener.wait(2.0)
    assert time.monotonic() - begun < 1.0
    assert not idle._listener.wait(0.0)


def test_hearsay_about_nothing_is_no_busy_loop(idle: HintBroker) -> None:
    assert heard(idle)
    begun = time.monotonic()
    assert idle.dequeue() is None
    assert time.monotonic() - begun > 0.5


def test_who_hears_all_the_time_still_asks_for_what_is_not_notified(
    idle: HintBroker, asked: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "UNASKED_SECONDS", 0.02)
    assert heard(idle)
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        Doing(wake.workers).done()
        idle.dequeue()
    assert len(asked) > 3
    assert max(later - earlier for earlier, later in pairwise(asked[1:])) < 0.8


def test_a_cluster_with_queues_of_its_own_is_not_woken_for_those_of_others(
    asked: list[float], settings: Settings
) -> None:
    settings.WORKER_QUEUES = ["bank"]
    hints = HintBroker()
    hints._listener.listen()
    assert not heard(hints)
    start_action("test-echo", {"value": 1})
    assert hints.dequeue() is None
    assert asked, "it asks, and what is due is not for it"


def test_two_runs_that_start_at_once_wake_two_workers(idle: HintBroker) -> None:
    """Both notifications may be heard as one: the look that follows finds what the first worker did not take."""
    notifying = Doing(lambda: [start_action("test-echo", {"value": number}) for number in range(2)])
    notifying.done()
    assert idle.dequeue() is not None
    assert identity.identity().take() is not None
    assert idle.dequeue() is not None


def notified(other: "psycopg.Connection[Any]") -> int:
    return len(list(other.notifies(timeout=0.3)))


@pytest.fixture
def other() -> Iterator["psycopg.Connection[Any]"]:
    """Give somebody else who listens."""
    with psycopg.connect(embedded_postgres.application_url(settings.VAR_DIR), autocommit=True) as raw:
        raw.execute(f"LISTEN {wake.CHANNEL}")
        yield raw


def test_many_starts_of_one_transaction_are_notified_once(other: "psycopg.Connection[Any]") -> None:
    with transaction.atomic():
        for number in range(5):
            start_action("test-echo", {"value": number})
        assert notified(other) == 0
    assert notified(other) == 1
    start_action("test-echo", {"value": 5})
    assert notified(other) == 1


@pytest.mark.parametrize("undone", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2)])
def test_a_savepoint_that_is_undone_takes_no_notification_of_others_with_it(
    other: "psycopg.Connection[Any]", undone: tuple[int, ...]
) -> None:
    with transaction.atomic():
        for number in range(3):
            with suppress(ZeroDivisionError), transaction.atomic():
                with transaction.atomic():
                    start_action("test-echo", {"value": number})
                if number in undone:
                    raise ZeroDivisionError
    assert notified(other) >= 1


def test_nobody_is_woken_for_what_was_undone(other: "psycopg.Connection[Any]") -> None:
    with suppress(ZeroDivisionError), transaction.atomic():
        start_action("test-echo", {"value": 1})
        raise ZeroDivisionError
    assert notified(other) == 0


def test_a_schedule_is_looked_at_however_long_each_handler_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that outlives the time slice ends it: the look comes after the run, not before the next one."""
    looked: list[float] = []

    def fire_due() -> int:
        looked.append(time.monotonic())
        return 0

    monkeypatch.setattr(scheduling, "fire_due", fire_due)
    for number in range(2):
        start_action("test-echo", {"value": number})
    me = identity.identity()
    until = time.monotonic() + 0.001
    taken = me.take

    def slow() -> object:
        held = taken()
        time.sleep(0.002)
        return held

    monkeypatch.setattr(me, "take", slow)
    worker._work(until)
    assert len(looked) == 1


def test_a_worker_claims_after_a_rest_without_another_question(monkeypatch: pytest.MonkeyPatch) -> None:
    start_action("test-echo", {"value": 1})
    me = identity.identity()
    me._found_at = identity.NEVER
    for name in ("pairs", "paused", "take"):
        monkeypatch.delattr(claim, name)
    assert me.take() is not None
    assert not me.paused("default")
