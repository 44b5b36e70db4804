"""Signed endpoints: what is believed has its effect once, what is not has none, and all of it is in the log."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from actions.models import Connection
from audit.models import AuditEvent
from dotdo_site.access.rates import Rate
from tests.support.documents import publish
from tests.support.listening import listener
from tests.support.webhooks import KEY, endpoint, signed
from workflows import bodies, queries, signatures
from workflows.models import Delivery, Endpoint, Event, Message, Run, Workflow
from workflows.operations import deliveries, webhooks

STYLES = ["standard", "github", "stripe"]
ECHO = "input: {schema: {document: {type: object, required: [id]}}}\ndo:\n- keep: {set: {got: '${ . }'}}\n"
pytestmark = pytest.mark.usefixtures("database")
Send = Callable[..., Any]


@pytest.fixture
def send() -> Send:
    """Post a body with headers to an endpoint."""
    client = Client(headers={"host": "localhost"})

    def post(name: str, message: tuple[bytes, dict[str, str]], content_type: str = "application/json") -> Any:
        body, headers = message
        return client.post(f"/hooks/e/{name}", body, content_type=content_type, headers=headers)

    return post


def log() -> list[tuple[str, int, str]]:
    return list(Delivery.objects.order_by("id").values_list("outcome", "status", "message_id"))


@pytest.mark.parametrize("style", STYLES)
def test_a_signed_message_starts_one_run_however_often_it_comes(send: Send, style: str) -> None:
    door = endpoint(style, workflow=publish("hooked", ECHO))
    message = signed(style, {"id": "evt_1", "a": 1}, "evt_1")
    answers = [send(door.name, message) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    run = Run.objects.get()
    assert answers[0].json() == {"outcome": "accepted", "run": str(run.pk), "event": None}
    assert [answer.json() for answer in answers[1:]] == [answers[0].json() | {"outcome": "replayed"}] * 2
    assert (run.input, run.trigger, run.actor) == ({"id": "evt_1", "a": 1}, "webhook", f"endpoint:{door.name}")
    assert log() == [("accepted", 200, "evt_1"), ("replayed", 200, "evt_1"), ("replayed", 200, "evt_1")]
    assert set(Delivery.objects.values_list("run", flat=True)) == {run.pk}


@pytest.mark.parametrize(("given", "shown"), [("", "hooked"), ("Take an order", "Take an order")])
def test_a_run_has_the_title_of_its_workflow_and_not_its_key(send: Send, given: str, shown: str) -> None:
    door = endpoint(workflow=publish("hooked", ECHO))
    Workflow.objects.update(title=given)
    send(door.name, signed("standard", {"id": 1}))
    run = Run.objects.get()
    assert (run.title, run.key) == (shown, f"{door.name}:msg_1")


@pytest.mark.parametrize("style", STYLES)
def test_a_signed_message_becomes_one_event_for_those_who_listen(send: Send, style: str) -> None:
    door, step = endpoint(style), listener(kind="com.example.hook", source=f"/hooks/e/{style}-door")
    message = signed(style, {"id": "evt_1", "a": 1}, "evt_1")
    first, again = send(door.name, message), send(door.name, message)
    event = Event.objects.get()
    assert (first.json()["event"], again.json()["event"]) == (str(event.pk), str(event.pk))
    assert (event.source, event.event_id, event.type, event.via) == (
        f"/hooks/e/{door.name}",
        "evt_1",
        "com.example.hook",
        "endpoint",
    )
    assert event.envelope["data"] == {"id": "evt_1", "a": 1}
    assert event.envelope.get("topic") == ("push" if style == "github" else None)
    assert Message.objects.get().step_id == step.pk


def test_each_of_several_active_secrets_is_accepted(send: Send) -> None:
    old = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk"
    door = endpoint(parts={"current": KEY, "previous": old})
    assert send(door.name, signed("standard", {}, "msg_1")).status_code == 200
    assert send(door.name, signed("standard", {}, "msg_2", secret=old)).status_code == 200
    assert send(door.name, signed("standard", {}, "msg_3", secret="whsec_bm9uZQ==")).status_code == 401


def test_whoever_is_not_believed_gets_the_same_answer(send: Send) -> None:
    endpoint()
    endpoint("github", name="off", enabled=False)
    endpoint("stripe", name="empty")
    Connection.objects.filter(name="stripe-secret").update(ciphertext="")
    good, headers = signed("standard", {"a": 1})
    answers = [
        send("standard-door", (good + b" ", headers)),
        send("standard-door", (good, {})),
        send("standard-door", signed("standard", {}, at=time.time() - 301)),
        send("standard-door", (b"\xff{", {})),
        send("off", signed("github", {})),
        send("empty", signed("stripe", {})),
        send("nobody", (good, headers)),
        send("nobody", signed("standard", {}, secret=webhooks.NOBODYS_SECRET)),
    ]
    assert {answer.status_code for answer in answers} == {401}
    documents = [answer.json() for answer in answers]
    assert len({(each["type"], each["title"], each["detail"]) for each in documents}) == 1
    assert not Event.objects.exists()
    refused = Delivery.objects.order_by("id")
    assert [row.reason for row in refused][:4] == [
        "No secret of the connection gives this signature.",
        "The header webhook-id is missing.",
        "The time of the signature is not within 5 minutes.",
        "The header webhook-id is missing.",
    ]
    assert refused[4].reason == "The endpoint is switched off."
    assert refused[5].reason == "The connection has no secret that can be read."


def test_an_unknown_endpoint_is_verified_like_a_known_one(monkeypatch: pytest.MonkeyPatch, send: Send) -> None:
    seen: list[Any] = []

    def verify(style: str, *_: object) -> bool:
        seen.append(style)
        return True

    monkeypatch.setattr(signatures, "verify", verify)
    assert send("nobody", signed("standard", {})).status_code == 401
    assert seen == ["standard"]


def test_nothing_is_parsed_before_it_is_believed(monkeypatch: pytest.MonkeyPatch, send: Send) -> None:
    endpoint()

    def parse(*_: object, **__: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(bodies, "content", parse)
    assert send("standard-door", (b"[" * 10_000, {})).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b'{"a": NaN}', 400), (b'"text"', 422), (b"{}", 422), (b"", 422)]
)
def test_a_believed_message_that_cannot_start_anything_says_why_and_is_logged(
    send: Send, body: bytes, status: int
) -> None:
    door = endpoint(workflow=publish("hooked", ECHO))
    answer = send(door.name, signed("standard", body))
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert log() == [("refused", status, "msg_1")]
    assert Delivery.objects.get().reason
    assert not Run.objects.exists()
    assert send(door.name, signed("standard", {"id": 1})).status_code == 200, "the number is still free"


def test_the_log_says_where_an_input_does_not_fit(send: Send) -> None:
    schema = "{type: object, properties: {" + ", ".join(f"field-{at}: {{type: integer}}" for at in range(20)) + "}}"
    door = endpoint(
        workflow=publish("hooked", f"input: {{schema: {{document: {schema}}}}}\ndo: [{{a: {{set: {{}}}}}}]\n")
    )
    send(door.name, signed("standard", {"field-3": "x"}, "msg_1"))
    send(door.name, signed("standard", {f"field-{at}": "x" for at in range(20)}, "msg_2"))
    one, many = Delivery.objects.order_by("id").values_list("reason", flat=True)
    assert "/field-3 " in one
    assert (len(many), many[-1]) == (200, "…")


def test_a_secret_that_no_signature_can_be_made_with_is_named_in_the_log(send: Send) -> None:
    door = endpoint(parts="whsec_not base64!")
    assert send(door.name, signed("standard", {})).status_code == 401
    assert "no secret for Standard Webhooks: whsec_" in Delivery.objects.get().reason


def test_an_event_that_is_too_large_is_refused(send: Send) -> None:
    door = endpoint()
    assert send(door.name, signed("standard", {"a": "x" * 256 * 1024})).status_code == 422
    assert log()[0][:2] == ("refused", 422)


def test_a_media_type_that_is_not_taken_is_logged_with_its_status(send: Send) -> None:
    door = endpoint()
    assert send(door.name, signed("standard", b"<a/>"), "application/xml").status_code == 415
    assert log() == [("refused", 415, "msg_1")]


def test_the_form_of_github_holds_json(send: Send) -> None:
    endpoint("github")
    body = urlencode({"payload": json.dumps({"ref": "main"})}).encode()
    assert send("github-door", signed("github", body), "application/x-www-form-urlencoded").status_code == 200
    assert Event.objects.get().envelope["data"] == {"ref": "main"}


def test_what_was_accepted_is_in_the_audit_trail_with_the_connection_that_vouched_for_it(send: Send) -> None:
    door = endpoint(workflow=publish("hooked", ECHO))
    send(door.name, signed("standard", {"id": 1}))
    link = AuditEvent.objects.get(kind="webhook.accepted")
    data = {"endpoint": door.name, "connection": "standard-secret", "message": "msg_1", "of_run": str(link.run)}
    assert json.loads(link.data) == data
    assert link.chain == Delivery.objects.get().pk
    trail = queries.events(Run.objects.get().pk)
    assert trail is not None
    assert "The endpoint standard-door accepted the message msg_1" in [event.sentence for event in trail.items]
    assert KEY not in "".join(AuditEvent.objects.values_list("data", flat=True))


def test_a_flood_of_strangers_does_not_fill_the_log(monkeypatch: pytest.MonkeyPatch, send: Send) -> None:
    endpoint()
    monkeypatch.setattr(deliveries, "STRANGERS", Rate(3))
    for _ in range(6):
        assert send("standard-door", (b"{}", {})).status_code == 401
    assert Delivery.objects.count() == 3


def test_the_same_number_at_another_endpoint_is_another_message(send: Send) -> None:
    endpoint()
    other = endpoint(name="other")
    assert send("standard-door", signed("standard", {})).json()["outcome"] == "accepted"
    assert send(other.name, signed("standard", {})).json()["outcome"] == "accepted"


def test_an_endpoint_has_the_effect_that_it_names() -> None:
    from django.db import IntegrityError, transaction

    connection = endpoint().connection
    for wrong in ({"effect": "start"}, {"effect": "event", "event_type": ""}, {"style": "none"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Endpoint.objects.create(**{"name": "bad", "connection": connection, "event_type": "x", **wrong})


def test_reading_an_endpoint_is_not_possible() -> None:
    client = Client(headers={"host": "localhost"})
    endpoint()
    for method in ("get", "head", "put", "delete", "options"):
        assert getattr(client, method)("/hooks/e/standard-door").status_code == 405
