"""The claim from wherever is most urgent takes what two questions, one after the other, would have taken."""

import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from dotdo_site import embedded_postgres
from tests.support.engine import start_action, work_until_idle
from workflows import claim, identity, operations
from workflows.models import Step

pytestmark = pytest.mark.usefixtures("handlers")
QUEUES = ("bank", "mail", "zoo")
ME = uuid.uuid4()


def scatter(chance: random.Random, count: int) -> None:
    """Make steps of several queues and priorities, some of them due."""
    now = timezone.now()
    for number in range(count):
        run = start_action("test-echo", {"value": number})
        Step.objects.filter(run=run).update(
            queue=chance.choice(QUEUES),
            priority=chance.choice((0, 2, 4)),
            due_at=now + timedelta(seconds=chance.choice((-60, -30, 600)), milliseconds=number),
        )


def slowly(served: Sequence[str]) -> list[uuid.UUID]:
    """Return the steps in the order in which asking for the pairs, then claiming from each, takes them."""
    order: list[uuid.UUID] = []
    while len(order) < Step.objects.count():
        pairs = [pair for pair in claim.pairs() if pair[2] <= 0 and (not served or pair[0] in served)]
        held = next(filter(None, (claim.take(queue, priority, ME, 30.0) for queue, priority, _ in pairs)), None)
        if held is None:
            break
        order.append(held.step)
    return order


def at_once(served: Sequence[str]) -> list[uuid.UUID]:
    return [held.step for held in iter(lambda: claim.take_first(served, ME, 30.0), None)]


def back(steps: Sequence[uuid.UUID]) -> None:
    Step.objects.filter(id__in=steps).update(state="ready", leased_by=None, lease_expires_at=None)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("served", [(), ("bank",), ("mail", "zoo")])
def test_one_statement_takes_the_same_steps_in_the_same_order_as_two(seed: int, served: tuple[str, ...]) -> None:
    chance = random.Random(seed)
    scatter(chance, 14)
    if seed % 2:
        operations.pause_queue(Step.objects.values_list("queue", flat=True)[0], actor="user:olga", reason="rest")
    expected = slowly(served)
    back(expected)
    assert at_once(served) == expected


def test_what_others_hold_is_passed_over_and_the_next_queue_has_its_turn() -> None:
    scatter(random.Random(7), 9)
    Step.objects.update(due_at=timezone.now())
    order = slowly(())
    back(order)
    most_urgent = Step.objects.get(id=order[0])
    beside = Step.objects.filter(queue=most_urgent.queue, priority=most_urgent.priority).values_list("id", flat=True)
    with other() as server:
        server.execute("SELECT id FROM step WHERE id = ANY(%s) FOR UPDATE", [list(beside)])
        held = claim.take_first((), ME, 30.0)
        assert held is not None
        assert held.step == next(step for step in order if step not in beside)
        server.rollback()
    assert at_once(()) == [step for step in order if step != held.step]


def test_a_worker_that_rested_looks_where_it_found_something_and_within_a_second_everywhere() -> None:
    identity._identity = None
    start_action("test-echo", {"value": 1})
    work_until_idle()
    usual, urgent = start_action("test-echo", {"value": 2}), start_action("test-echo", {"value": 3})
    Step.objects.filter(run=urgent).update(queue="other", priority=0)
    me = identity.identity()
    taken = [me.take()]
    me._found_at -= identity.LOOK_SECONDS
    taken += [me.take(), me.take()]
    assert [held and held.run for held in taken] == [usual, urgent, None]
    claim.release(me.id)
    work_until_idle()
    elsewhere = start_action("test-echo", {"value": 4})
    Step.objects.filter(run=elsewhere).update(queue="another")
    held = me.take()
    assert held is not None, "where it never found anything before"
    assert held.run == elsewhere


def other() -> "psycopg.Connection[Any]":
    return psycopg.connect(embedded_postgres.application_url(settings.VAR_DIR))
