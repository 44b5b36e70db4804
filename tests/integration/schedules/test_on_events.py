"""Workflows that start by events."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction

from audit.models import AuditEvent
from tests.support.documents import publish
from workflows import operations, queries, reacting
from workflows.models import Run, Schedule, ScheduleFire, Subscription

pytestmark = pytest.mark.usefixtures("database")

DO = "\ndo: [{a: {set: {b: 1}}}]"


STRICT = "input: {schema: {document: {type: array, items: {type: integer}}}}"


def listening(on: str, name: str = "reacts", version: str = "1.0.0", read: str = "") -> Schedule:
    publish(name, f"schedule: {{on: {on}{f', read: {read}' if read else ''}}}{DO}", version)
    return Schedule.objects.get(workflow__name=name)


def send(kind: str, data: Any = None, source: str = "/shop", number: str = "", **more: Any) -> operations.Delivered:
    event = {"specversion": "1.0", "id": number or str(uuid.uuid4()), "source": source, "type": kind, "data": data}
    return operations.deliver_event(event | more, actor="user:test", via="api")


def inputs() -> list[Any]:
    return list(Run.objects.order_by("id").values_list("input", flat=True))


def test_each_event_that_fits_starts_a_run_with_an_array_of_its_envelope() -> None:
    listening("{one: {with: {type: order.paid}}}")
    delivered = send("order.paid", {"n": 1})
    send("order.lost", {"n": 2})
    (envelope,) = inputs()[0]
    assert (envelope["type"], envelope["data"]) == ("order.paid", {"n": 1})
    run = Run.objects.get()
    assert delivered.runs == [run.pk]
    assert (run.trigger, run.actor, run.depth) == ("event", "schedule:reacts", 0)


def test_a_run_that_an_event_started_is_not_titled_with_its_key() -> None:
    row = listening("{one: {with: {type: order.paid}}}")
    event = send("order.paid")
    run = Run.objects.get()
    assert (run.title, run.key) == ("reacts", f"schedule:{row.pk}:{event.event_id}")


@pytest.mark.parametrize(("read", "expected"), [("data", [{"n": 1}]), ("raw", [{"n": 1}])])
def test_read_decides_what_the_run_is_given(read: str, expected: list[Any]) -> None:
    listening("{one: {with: {type: order.paid}}}", read=read)
    send("order.paid", {"n": 1})
    assert inputs() == [expected]


def test_a_schedule_shows_the_runs_that_events_started_and_the_start_that_was_refused() -> None:
    listening("{one: {with: {type: order.paid}}}")
    runs = [send("order.paid", n).runs[0] for n in range(2)]
    send("order.lost", 3)
    found = queries.schedule("reacts")
    assert found is not None
    assert [(fire.run, fire.label, fire.skipped) for fire in found.fires] == [
        (runs[1], "pending", False),
        (runs[0], "pending", False),
    ]


def test_events_that_come_in_one_transaction_are_each_a_fire_of_their_own() -> None:
    listening("{one: {with: {type: order.paid}}}")
    with transaction.atomic():
        runs = [run for n in range(3) for run in send("order.paid", n).runs]
    assert set(ScheduleFire.objects.values_list("run", flat=True)) == set(runs)


def test_an_event_that_a_workflow_cannot_take_is_a_fire_without_a_run() -> None:
    publish("reacts", f"schedule: {{on: {{one: {{with: {{type: order.paid}}}}}}, read: data}}\n{STRICT}{DO}")
    send("order.paid", "no number")
    assert [(fire.run, fire.skipped) for fire in ScheduleFire.objects.all()] == [(None, False)]


def test_the_same_event_again_starts_nothing_and_answers_as_before() -> None:
    listening("{one: {with: {type: order.paid}}}")
    first = send("order.paid", 1, number="e-1")
    again = send("order.paid", 1, number="e-1")
    assert Run.objects.count() == 1
    assert (again.created, again.runs) == (False, first.runs)


def test_conditions_patterns_and_correlations_narrow_down() -> None:
    listening(
        '{any: [{with: {type: order.paid, data: "${ .amount > 10 }"}}, {with: {type: "order\\\\.(lost|late)"}},'
        " {with: {source: /crm}, correlate: {tenant: {from: .data.tenant, expect: acme}}}]}",
        read="data",
    )
    send("order.paid", {"amount": 5})
    send("order.paid", {"amount": 50})
    send("order.paid", "no object: the condition fails")
    send("order.late", 1)
    send("order.early", 2)
    send("customer", {"tenant": "acme"}, source="/crm")
    send("customer", {"tenant": "other"}, source="/crm")
    assert inputs() == [[{"amount": 50}], [1], [{"tenant": "acme"}]]


def test_an_event_that_fits_twice_starts_one_run_of_each_workflow() -> None:
    listening("{any: [{with: {type: t}}, {with: {source: /shop}}]}")
    listening("{any: []}", "everything")
    assert len(send("t").runs) == 2
    assert sorted(Run.objects.values_list("name", flat=True)) == ["everything", "reacts"]


def test_all_collects_one_event_of_each_filter_and_then_begins_anew() -> None:
    listening("{all: [{with: {type: paid}}, {with: {type: packed}}]}", read="data")
    send("packed", 1)
    send("packed", 2)  # the filter has had its event
    assert inputs() == []
    send("paid", 3)
    assert inputs() == [[1, 3]]
    send("paid", 4)
    assert len(inputs()) == 1
    send("packed", 5)
    assert inputs() == [[1, 3], [4, 5]]


def test_events_that_complete_an_all_at_once_start_one_run() -> None:
    listening("{all: [{with: {type: paid}}, {with: {type: packed}}, {with: {type: sent}}]}", read="data")

    def deliver(kind: str) -> None:
        try:
            send(kind, kind)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(deliver, ["paid", "packed", "sent"]))
    assert [sorted(each) for each in inputs()] == [["packed", "paid", "sent"]]
    assert Schedule.objects.get().pending == {}


def test_a_version_with_other_filters_forgets_what_was_collected_and_listens_anew() -> None:
    listening("{all: [{with: {type: paid}}, {with: {type: packed}}]}")
    send("paid")
    row = listening("{one: {with: {type: sent}}}", version="1.1.0")
    assert row.pending == {}
    assert list(Subscription.objects.values_list("type", flat=True)) == ["sent"]
    send("packed")
    assert inputs() == []
    publish("reacts", DO.strip(), "1.2.0")
    assert not Subscription.objects.exists()


def test_a_paused_schedule_hears_nothing() -> None:
    listening("{one: {with: {type: paid}}}")
    operations.pause_schedule("reacts", actor="user:ann", reason="x")
    assert send("paid").runs == []
    operations.resume_schedule("reacts", actor="user:ann", reason="y")
    assert len(send("paid").runs) == 1


def test_an_input_that_does_not_fit_is_recorded_and_the_event_is_taken() -> None:
    publish(
        "reacts",
        "schedule: {on: {one: {with: {type: paid}}}}\n"
        "input: {schema: {document: {type: array, items: {required: [nothing]}}}}" + DO,
    )
    delivered = send("paid")
    assert (delivered.created, delivered.runs) == (True, [])
    assert AuditEvent.objects.filter(kind="schedule.failed").count() == 1


def test_runs_that_start_each_other_by_events_come_to_an_end() -> None:
    row = listening("{one: {with: {type: again}}}")
    send("again")
    sender = Run.objects.get()
    for number in range(40):
        event = {"specversion": "1.0", "id": str(number), "source": "/self", "type": "again"}
        started = reacting.on_event([row.pk], uuid.uuid4(), event, sender=sender.pk)
        if not started:
            break
        sender = Run.objects.get(pk=next(iter(started)))
    assert sender.depth == 32
    assert "32 are allowed" in AuditEvent.objects.get(kind="schedule.failed").data


def test_a_schedule_that_cannot_be_read_is_paused_and_the_event_is_taken_by_the_others() -> None:
    listening("{one: {with: {type: paid}}}", "broken")
    listening("{one: {with: {type: paid}}}", "fine")
    publish("none", DO.strip())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE schedule SET version_id = (SELECT v.id FROM workflow_version v JOIN workflow w "
                       "ON w.id = v.workflow_id WHERE w.name = 'none') WHERE workflow_id = "
                       "(SELECT id FROM workflow WHERE name = 'broken')")  # fmt: skip
    assert len(send("paid").runs) == 1
    assert Run.objects.get().name == "fine"
    assert list(Schedule.objects.order_by("workflow__name").values_list("state", flat=True)) == ["paused", "active"]
