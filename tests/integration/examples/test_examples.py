"""Each example runs to its end, on its good path and on the one that it is there for."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from tests.integration.examples.conftest import ACTOR, World, publish_examples, send
from tests.support.webhooks import endpoint, signed
from workflows import hooks, operations
from workflows.approvals import Person
from workflows.models import Entry, Run, Schedule, Step

ADA = {"userId": "usr_7", "name": "Ada Lovelace", "email": "ada@example.com"}
ORDER: dict[str, Any] = {
    "order": "A-1",
    "customer": "usr_7",
    "email": "ada@example.com",
    "card": "tok_visa",
    "total": 4900,
    "items": [{"sku": "notebook", "quantity": 2}],
    "address": "12 St James's Square, London",
}
DISCOUNT = {"customer": "Analytical Engines Ltd", "percent": 25, "askedBy": "grace@example.com"}


def names(run_id: uuid.UUID) -> list[str]:
    """Return the names of the calls that were made, in order."""
    rows = Step.objects.filter(run=run_id, kind__in=["call", "undo"], state="succeeded")
    return list(rows.order_by("finished_at", "id").values_list("name", flat=True))


def click(run_id: uuid.UUID) -> None:
    assert hooks.run_of(hooks.token(run_id)) == run_id
    operations.receive_webhook(run_id, {"data": {"confirmed": True}}, number=uuid.uuid4().hex, at=datetime.now(UTC))


def answer(run_id: uuid.UUID, name: str, decision: str, person: Person) -> None:
    key = Step.objects.values_list("key", flat=True).get(run=run_id, name=name)
    operations.answer_approval(run_id, key, decision, {}, person=person, actor=f"user:{person.name}")


def output(world: World, run_id: uuid.UUID) -> Any:
    run = world.run(run_id)
    assert run.state == "succeeded", (run.state, run.error)
    return run.output


def test_publishing_the_examples_again_changes_nothing_and_no_schedule_runs(world: World) -> None:
    assert publish_examples() == []
    schedule = Schedule.objects.get()
    assert (schedule.workflow.name, schedule.state, schedule.timezone) == (
        "nightly-invoices",
        "paused",
        "Europe/Berlin",
    )
    assert not Run.objects.exists()


def test_onboarding_ends_with_a_customer_when_the_link_is_clicked(world: World) -> None:
    run_id = world.start("onboarding", ADA)
    assert world.run(run_id).label == "waiting_event"
    click(run_id)
    world.settle()
    assert output(world, run_id) == {"user": "usr_7", "status": "customer"}
    assert world.subjects(ADA["email"]) == ["Welcome, Ada Lovelace: please confirm"]


def test_onboarding_counts_a_click_that_comes_before_the_run_listens(world: World) -> None:
    run_id = operations.start_workflow("onboarding", ADA, actor=ACTOR, trigger="test").run_id
    click(run_id)
    world.settle()
    assert output(world, run_id)["status"] == "customer"


def test_onboarding_reminds_after_three_days_and_takes_the_late_click(world: World) -> None:
    run_id = world.start("onboarding", ADA)
    world.pass_time()
    assert world.subjects(ADA["email"])[1:] == ["Your account is waiting"]
    click(run_id)
    world.settle()
    assert output(world, run_id)["status"] == "customer"


def test_onboarding_ends_with_a_lead_when_nobody_clicks(world: World) -> None:
    run_id = world.start("onboarding", ADA)
    world.pass_time()
    world.pass_time()
    assert output(world, run_id) == {"user": "usr_7", "status": "lead"}


def test_an_order_is_charged_reserved_and_shipped(world: World) -> None:
    run_id = world.start("order-fulfilment", ORDER)
    shipped = output(world, run_id)
    assert shipped["state"] == "shipped"
    assert [charge["id"] for charge in world.ask("/payments/charges")] == [shipped["charge"]]
    assert world.ask("/payments/refunds") == []
    assert world.ask("/warehouse/releases") == []


def test_an_order_that_cannot_be_shipped_is_undone_in_reverse_order(world: World) -> None:
    run_id = world.start("order-fulfilment", {**ORDER, "address": "1 Main Street, Nowhere"})
    assert output(world, run_id) == {"state": "undone", "because": "unknown_address"}
    (charge,), (refund,) = world.ask("/payments/charges"), world.ask("/payments/refunds")
    (reservation,), (release,) = world.ask("/warehouse/reservations"), world.ask("/warehouse/releases")
    assert (refund["charge"], release["reservation"]) == (charge["id"], reservation["id"])
    undone = Step.objects.filter(run=run_id, function__in=["release-stock:1.0.0", "refund-charge:1.0.0"])
    assert list(undone.order_by("finished_at").values_list("function", flat=True)) == [
        "release-stock:1.0.0",
        "refund-charge:1.0.0",
    ]
    assert world.subjects(ORDER["email"]) == ["Your order A-1"]


@pytest.mark.parametrize(
    ("change", "because", "undone"),
    [
        ({"card": "tok_declined"}, "card_declined", 0),
        ({"items": [{"sku": "sold-out", "quantity": 1}]}, "sold_out", 1),
    ],
)
def test_only_what_was_done_is_undone(world: World, change: dict[str, Any], because: str, undone: int) -> None:
    run_id = world.start("order-fulfilment", {**ORDER, **change})
    assert output(world, run_id) == {"state": "undone", "because": because}
    assert len(world.ask("/payments/refunds")) == undone
    assert world.ask("/warehouse/releases") == []


def test_a_discount_is_approved_by_an_operator(world: World) -> None:
    run_id = world.start("discount-approval", DISCOUNT)
    assert world.run(run_id).label == "waiting_person"
    answer(run_id, "first-level", "approved", Person("olivia", frozenset({"Operator"})))
    world.settle()
    assert output(world, run_id) == {"decision": "approved", "by": "olivia"}
    assert world.subjects("grace@example.com") == ["Discount for Analytical Engines Ltd: approved"]


def test_a_discount_that_nobody_answers_goes_to_the_admins(world: World) -> None:
    run_id = world.start("discount-approval", DISCOUNT)
    world.pass_time()
    with pytest.raises(operations.NotAllowed):
        answer(run_id, "admins", "rejected", Person("olivia", frozenset({"Operator"})))
    answer(run_id, "admins", "rejected", Person("adam", frozenset({"Admin"})))
    world.settle()
    assert output(world, run_id) == {"decision": "rejected", "by": "adam"}


def test_a_discount_that_nobody_ever_answers_is_rejected(world: World) -> None:
    run_id = world.start("discount-approval", DISCOUNT)
    world.pass_time()
    world.pass_time()
    assert output(world, run_id) == {"decision": "rejected", "by": "nobody in four days"}


def test_a_small_discount_needs_nobody(world: World) -> None:
    run_id = world.start("discount-approval", {**DISCOUNT, "percent": 5})
    assert output(world, run_id)["by"] == "the ten per cent rule"


def test_a_slow_report_is_polled_until_it_is_done(world: World) -> None:
    run_id = world.start("slow-report", {"kind": "revenue"})
    for _ in range(2):
        assert world.run(run_id).state == "waiting"
        world.pass_time()
    assert output(world, run_id)["status"] == "done"
    assert names(run_id) == ["order", "look", "look", "look"]


def test_an_endless_report_is_given_up_after_two_hours(world: World) -> None:
    run_id = world.start("slow-report", {"kind": "endless"})
    timer = Step.objects.get(run=run_id, kind="timer", state="ready")
    operations.fire_timer(run_id, timer.key, actor=ACTOR, reason="two hours have passed")
    world.settle()
    assert output(world, run_id)["status"] == "given up"


def test_a_report_that_fails_says_why(world: World) -> None:
    run_id = world.start("slow-report", {"kind": "impossible"})
    world.pass_time()
    world.pass_time()
    assert output(world, run_id)["because"] == "The report service gave up"


def test_the_nightly_batch_collects_what_failed_and_goes_on(world: World) -> None:
    run_id = world.start("nightly-invoices", {})
    assert output(world, run_id) == {"invoiced": 3, "failed": ["cus_blocked"]}
    assert {invoice["customer"] for invoice in world.ask("/billing/invoices")} == {"cus_ada", "cus_grace", "cus_alan"}
    assert world.subjects("office@example.com") == ["1 invoices need a person"]
    assert Run.objects.filter(name="invoice-customer").count() == 4


def test_a_subscription_is_renewed_by_its_own_events_and_ends_with_the_cancellation(world: World) -> None:
    run_id = world.start("subscription", {"subscription": "sub_1", "email": "ada@example.com"})
    send("1", "com.example.invoice.paid", {"subscription": "sub_1"})
    world.settle()
    send("2", "com.example.invoice.paid", {"subscription": "sub_2"})
    send("1", "com.example.invoice.paid", {"subscription": "sub_1"})
    world.settle()
    assert Entry.objects.get(namespace="subscriptions", key="sub_1").value == {"state": "active", "renewals": 1}
    send("3", "com.example.invoice.paid", {"subscription": "sub_1"})
    world.settle()
    send("4", "com.example.subscription.cancelled", {"subscription": "sub_1"})
    world.settle()
    assert output(world, run_id) == {"state": "cancelled", "renewals": 2}
    assert world.subjects("ada@example.com") == ["Your subscription has ended"]


def test_a_subscription_begins_and_ends_at_signed_endpoints(world: World) -> None:
    client = Client(headers={"host": "localhost"})
    begin = endpoint("stripe", workflow="subscription", name="subscriptions")
    over = endpoint("standard", name="cancellations", event_type="com.example.subscription.cancelled")
    about = {"subscription": "sub_9", "email": "ada@example.com"}
    for _ in range(2):
        body, headers = signed("stripe", {"id": "evt_1", **about}, "evt_1")
        answer = client.post(f"/hooks/e/{begin.name}", body, content_type="application/json", headers=headers)
        assert answer.status_code == 200, answer.content
    world.settle()
    body, headers = signed("standard", about, "msg_2")
    client.post(f"/hooks/e/{over.name}", body, content_type="application/json", headers=headers)
    world.settle()
    assert output(world, Run.objects.get().pk) == {"state": "cancelled", "renewals": 0}


def test_a_subscription_without_payment_is_warned_and_lapses(world: World) -> None:
    run_id = world.start("subscription", {"subscription": "sub_1", "email": "ada@example.com"})
    world.pass_time()
    assert world.subjects("ada@example.com") == ["Your subscription is about to end"]
    world.pass_time()
    assert output(world, run_id)["state"] == "lapsed"


def test_a_subscription_that_is_paid_late_goes_on(world: World) -> None:
    run_id = world.start("subscription", {"subscription": "sub_1", "email": "ada@example.com"})
    world.pass_time()
    send("1", "com.example.invoice.paid", {"subscription": "sub_1"})
    world.settle()
    assert world.run(run_id).state == "waiting"
    assert Entry.objects.get(namespace="subscriptions", key="sub_1").value["renewals"] == 1
