"""Deliveries at the same moment, with real commits."""

import threading

import pytest
from django.db import connections

from tests.support.listening import event, listener
from workflows import operations
from workflows.models import Event, Message

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
