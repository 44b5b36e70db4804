"""Deliveries at the same moment, with real commits."""

import threading

import pytest
from django.db import connections
from django.utils import timezone

from tests.support.documents import publish
from tests.support.listening import event, listener
from tests.support.webhooks import endpoint, signed
from workflows import operations
from workflows.models import Delivery, Event, Message, Run

pytestmark = pytest.mark.usefixtures("database")


def test_of_concurrent_deliveries_of_one_event_one_makes_it() -> None:
    step = listener()
    found: list[operations.Delivered] = []

    def send() -> None:
        found.append(operations.deliver_event(event(), actor="user:test", via="api"))
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.created for each in found) == [False] * 5 + [True]
    assert {each.event_id for each in found} == {Event.objects.get().pk}
    assert {tuple(each.runs) for each in found} == {(step.run_id,)}
    assert Message.objects.count() == 1


def test_of_copies_of_a_signed_message_at_the_same_moment_one_starts_a_run() -> None:
    door = endpoint(workflow=publish("hooked", "do: [{a: {set: {b: 1}}}]"))
    body, headers = signed("standard", {})
    incoming = operations.Incoming(headers | {"content-type": "application/json"}, body, timezone.now())
    found: list[operations.Accepted] = []

    def send() -> None:
        found.append(operations.receive_signed(door.name, incoming))
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.replayed for each in found) == [False] + [True] * 5
    assert {each.run_id for each in found} == {Run.objects.get().pk}
    assert sorted(Delivery.objects.values_list("outcome", flat=True)) == ["accepted"] + ["replayed"] * 5
