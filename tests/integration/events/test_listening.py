"""Workflows that listen and emit, driven by real workers, events and webhooks."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from tests.support.documents import publish
from tests.support.engine import finished, shown, start_workflow, state, work_until_idle
from tests.support.listening import event
from tests.support.webhooks import endpoint, signed
from workflows import hooks, operations
from workflows.models import Event, Run, Subscription

pytestmark = pytest.mark.usefixtures("database")
LISTEN = "do:\n- l: {listen: {to: {one: {with: {type: com.example.paid}}}}}\n"
HOOKED = "do:\n- l: {listen: {to: {one: {with: {type: dev.dotdo.webhook.received.v1}}}}}\n"


def send(number: str = "1", **attributes: Any) -> operations.Delivered:
    return operations.deliver_event(event(number, **attributes), actor="user:test", via="api")


def waiting(name: str, body: str, value: Any = None) -> uuid.UUID:
    """Start a workflow and work until it waits."""
    run = start_workflow(publish(name, body), {} if value is None else value)
    work_until_idle()
    assert state(run) == "waiting", shown(run).error
    return run


def test_a_broadcast_ends_the_listen_of_every_run_that_waits_for_it() -> None:
    runs = [waiting(f"listens-{number}", LISTEN) for number in "ab"]
    assert send(data={"n": 1}).runs == sorted(runs)
    for run in runs:
        assert (finished(run).state, finished(run).output) == ("succeeded", [{"n": 1}])


def test_another_type_leaves_it_waiting_and_a_broadcast_from_before_is_not_seen() -> None:
    send("early")
    run = waiting("listens", LISTEN)
    send("other", kind="com.example.other")
    work_until_idle()
    assert state(run) == "waiting"
    send("late", data=2)
    assert finished(run).output == [2]


def test_an_event_for_the_run_is_kept_until_it_listens() -> None:
    body = "do:\n- w: {wait: {milliseconds: 400}}\n" + LISTEN.removeprefix("do:\n")
    run = waiting("waits-first", body)
    assert send(subject=str(run), data="early").runs == [run]
    assert finished(run).output == ["early"]


def test_only_the_run_with_the_right_order_is_woken() -> None:
    body = (
        "do:\n- l: {listen: {to: {one: {with: {type: com.example.paid},"
        " correlate: {order: {from: .data.order, expect: '${ .order }'}}}}}}\n"
    )
    publish("correlates", body)
    mine, other = (start_workflow("correlates", {"order": order}) for order in ("17", "18"))
    work_until_idle()
    assert send(data={"order": "17"}).runs == [mine]
    work_until_idle()
    assert (state(mine), state(other)) == ("succeeded", "waiting")


def test_the_webhook_of_the_run_is_known_to_it_and_ends_its_listen() -> None:
    body = "do:\n- u: {set: {url: '${ $runtime.metadata.webhookUrl }'}, export: {as: .}}\n" + HOOKED.removeprefix(
        "do:\n"
    )
    run = waiting("hooked", body + "- r: {set: {url: '${ $context.url }', got: '${ . }'}}\n")
    client = Client(headers={"host": "localhost"})
    answer = client.post(hooks.path(run), json.dumps({"ok": True}), content_type="application/json")
    assert answer.json()["delivered"] is True
    assert finished(run).output == {"url": hooks.url(run), "got": [{"ok": True}]}


def test_the_name_of_the_hook_chooses_the_branch() -> None:
    body = HOOKED.replace("}}}}", "}}}, read: envelope}") + "- r: {set: '${ .[0].hook }'}\n"
    run = waiting("approves", body)
    client = Client(headers={"host": "localhost"})
    page = client.get(hooks.path(run) + "/reject", headers={"accept": "text/html"}).content.decode()
    button = page.partition('action="')[2].partition('"')[0]
    client.post(hooks.path(run) + "/reject" + button, b"", content_type="application/x-www-form-urlencoded")
    assert finished(run).output == "reject"


def test_a_signed_message_resumes_the_run_that_it_belongs_to() -> None:
    door = endpoint()
    body = (
        "do:\n- l: {listen: {to: {one: {with: {type: com.example.hook, source: /hooks/e/standard-door},"
        " correlate: {order: {from: .data.order, expect: '${ .order }'}}}}}}\n"
    )
    run = waiting("resumes", body, {"order": 17})
    message, headers = signed("standard", {"order": 17})
    client = Client(headers={"host": "localhost"})
    for _ in range(2):
        answer = client.post(f"/hooks/e/{door.name}", message, content_type="application/json", headers=headers)
        assert answer.status_code == 200
    assert finished(run).output == [{"order": 17}]


def test_a_signed_message_starts_a_run_that_is_done() -> None:
    door = endpoint("stripe", workflow=publish("started", "do:\n- s: {set: {type: '${ .type }'}}\n"))
    body, headers = signed("stripe", {"id": "evt_1", "type": "charge.succeeded"})
    client = Client(headers={"host": "localhost"})
    answer = client.post(f"/hooks/e/{door.name}", body, content_type="application/json", headers=headers)
    assert finished(uuid.UUID(answer.json()["run"])).output == {"type": "charge.succeeded"}


def test_what_one_run_emits_another_receives_and_the_output_is_the_event() -> None:
    listens = waiting("receives", LISTEN)
    emits = start_workflow(
        publish("sends", "do:\n- e: {emit: {event: {with: {type: com.example.paid, data: '${ . }'}}}}\n"), {"n": 7}
    )
    sent = finished(emits).output
    assert sent == sent | {"specversion": "1.0", "type": "com.example.paid", "data": {"n": 7}}
    assert (sent["id"].startswith(str(emits)), sent["source"]) == (True, "/tests/sends/1.0.0")
    assert finished(listens).output == [{"n": 7}]
    received = Event.objects.get()
    assert (received.via, received.event_id, received.envelope) == ("emit", sent["id"], sent)


def test_a_run_can_send_to_another_by_its_id() -> None:
    listens = waiting("receives", LISTEN)
    body = "do:\n- e: {emit: {event: {with: {type: com.example.paid, subject: '${ .to }', data: hello}}}}\n"
    emits = start_workflow(publish("sends", body), {"to": str(listens)})
    assert finished(emits).state == "succeeded"
    assert finished(listens).output == ["hello"]


def test_an_emit_that_gives_no_event_fails_with_all_that_is_wrong() -> None:
    body = "do:\n- e: {emit: {event: {with: {type: '${ .type }', time: '${ .time }'}}}}\n"
    run = finished(start_workflow(publish("sends", body), {"type": "", "time": "noon"}))
    assert run.state == "failed"
    assert "/type" in json.dumps(run.error)
    assert "/time" in json.dumps(run.error)
    assert not Event.objects.exists()


def test_an_event_that_starts_a_run_names_it_again_when_it_comes_again() -> None:
    publish("reacts", "schedule: {on: {one: {with: {type: com.example.paid}}}}\ndo: [{a: {set: {b: 1}}}]")
    first, again = send(), send()
    assert first.runs == again.runs == [Run.objects.get().pk]
    assert not again.created
    assert finished(first.runs[0]).state == "succeeded"


def test_an_event_for_a_suspended_run_is_taken_when_it_goes_on() -> None:
    run = waiting("listens", LISTEN)
    operations.suspend(run, actor="user:test", reason="a break")
    assert send(data=1).runs == [run]
    work_until_idle()
    assert state(run) == "suspended"
    operations.resume(run, actor="user:test", reason="go on")
    assert finished(run).output == [1]


def test_two_listens_one_after_the_other_take_two_events_in_their_order() -> None:
    body = LISTEN.replace("- l:", "- first:") + LISTEN.removeprefix("do:\n").replace("- l:", "- second:")
    run = waiting("twice", body)
    for number in "ab":
        send(number, subject=str(run), data=number)
    assert finished(run).output == ["b"]


def test_cancelling_a_run_that_listens_ends_its_subscription() -> None:
    run = waiting("listens", LISTEN)
    operations.cancel(run, actor="user:test", reason="no longer needed")
    assert send().runs == []
    assert not Subscription.objects.exists()
