"""CloudEvents over HTTP: structured, batched and binary, and what is wrong with the others."""

import base64
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.integration.api.conftest import Caller, check_problem, person
from tests.support.listening import event, listener
from workflows.models import Event

pytestmark = pytest.mark.django_db
EVENTS = "/api/v1/events"
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
BINARY = {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "/shop", "ce-type": "com.example.paid"}


def post(api: Caller, body: bytes, content_type: str, **headers: str) -> Any:
    return api.client.post(EVENTS, body, content_type=content_type, headers=headers)


def stored() -> dict[str, Any]:
    envelope: dict[str, Any] = Event.objects.get().envelope
    return envelope


@pytest.mark.parametrize(
    "content_type", [STRUCTURED, "application/json", f"{STRUCTURED}; charset=utf-8", "Application/CloudEvents+JSON"]
)
def test_a_structured_event_is_created_once(api: Caller, content_type: str) -> None:
    step = listener()
    body = json.dumps(event(time="2026-11-21T09:00:00Z", ordernumber=17, data=[1])).encode()
    first, again = post(api, body, content_type), post(api, body, content_type)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == {"id": str(Event.objects.get().pk), "created": True, "runs": [str(step.run_id)]}
    assert again.json() == first.json() | {"created": False}
    assert again["Idempotent-Replayed"] == "true"
    assert first["Location"] == f"{EVENTS}/{first.json()['id']}"
    assert stored() == json.loads(body)


def test_a_binary_event_has_its_attributes_in_headers(api: Caller) -> None:
    headers = BINARY | {"ce-subject": "caf%C3%A9 1", "ce-ordernumber": "17"}
    answer = post(api, b'{"amount": 1.5}', "application/json; charset=utf-8", **headers)
    assert answer.status_code == 201, answer.content
    assert stored() == event(
        "7",
        subject="café 1",
        ordernumber="17",
        datacontenttype="application/json; charset=utf-8",
        data={"amount": 1.5},
    )


@pytest.mark.parametrize(
    ("content_type", "body", "data"),
    [
        ("text/plain", b"hello", {"data": "hello"}),
        ("application/vnd.shop+json", b"[1]", {"data": [1]}),
        ("application/octet-stream", b"\x00\xff", {"data_base64": base64.b64encode(b"\x00\xff").decode()}),
        ("application/json", b"", {}),
    ],
)
def test_binary_data_is_read_by_its_media_type(
    api: Caller, content_type: str, body: bytes, data: dict[str, Any]
) -> None:
    assert post(api, body, content_type, **BINARY).status_code == 201
    assert {name: value for name, value in stored().items() if name.startswith("data") and "type" not in name} == data


def test_a_batch_is_answered_event_by_event(api: Caller) -> None:
    post(api, json.dumps(event("1")).encode(), STRUCTURED)
    answer = post(api, json.dumps([event("1"), event("2")]).encode(), BATCH)
    assert answer.status_code == 200
    assert [each["created"] for each in answer.json()] == [False, True]


def test_a_batch_with_one_bad_event_changes_nothing_and_says_where(api: Caller) -> None:
    answer = post(api, json.dumps([event("1"), event("2") | {"type": ""}]).encode(), BATCH)
    assert answer.status_code == 422
    check_problem(answer)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/1/type"]
    assert not Event.objects.exists()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"specversion": "0.3"}, "/specversion"),
    ({"id": ""}, "/id"),
    ({"id": 7}, "/id"),
    ({"id": "a\u0007"}, "/id"),
    ({"id": "x" * 256}, "/id"),
    ({"source": "not a uri"}, "/source"),
    ({"source": None}, "/source"),
    ({"type": "x" * 256}, "/type"),
    ({"subject": ""}, "/subject"),
    ({"time": "yesterday"}, "/time"),
    ({"time": "2026-02-30T00:00:00Z"}, "/time"),
    ({"time": "2026-02-20T00:00:00"}, "/time"),
    ({"datacontenttype": "json"}, "/datacontenttype"),
    ({"dataschema": "relative"}, "/dataschema"),
    ({"order_number": "1"}, "/order_number"),
    ({"orderNumber": "1"}, "/orderNumber"),
    ({"averyveryverylongname": "1"}, "/averyveryverylongname"),
    ({"extension": {"an": "object"}}, "/extension"),
    ({"extension": 2**31}, "/extension"),
    ({"extension": 1.5}, "/extension"),
    ({"data_base64": "%%"}, "/data_base64"),
    ({"data": 1, "data_base64": "aGk="}, "/data_base64"),
    ({"data": "x" * 256 * 1024}, ""),
]


@pytest.mark.parametrize(("attributes", "pointer"), BAD)
def test_what_is_no_cloudevent_is_refused_at_its_place(api: Caller, attributes: dict[str, Any], pointer: str) -> None:
    answer = post(api, json.dumps(event() | attributes).encode(), STRUCTURED)
    assert answer.status_code == 422
    check_problem(answer)
    assert answer.json()["type"] == "/problems/invalid-event"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_all_problems_are_told_at_once(api: Caller) -> None:
    answer = post(api, b'{"id": "", "time": "x", "A": 1}', STRUCTURED)
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/specversion", "/id", "/source", "/type", "/time", "/A"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", STRUCTURED, 400),
        (b'{"a": 1, "a": 2}', STRUCTURED, 400),
        (b'{"a": NaN}', STRUCTURED, 400),
        (b"[]", STRUCTURED, 422),
        (b"{}", BATCH, 400),
        (b"[1]", BATCH, 422),
        (b"[" + b",".join([b"{}"] * 101) + b"]", BATCH, 400),
        (b"hello", "text/plain", 415),
        (b"{}", "application/json; charset=latin-1", 415),
        (b" " * (1024 * 1024 + 1), STRUCTURED, 413),
    ],
)
def test_other_bodies_are_refused(api: Caller, body: bytes, content_type: str, status: int) -> None:
    answer = post(api, body, content_type)
    assert answer.status_code == status
    check_problem(answer)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [(b"\xff", "text/plain", 400), (b"{", "application/json", 400), (b"x" * (256 * 1024 + 1), "text/plain", 413)],
)
def test_binary_data_that_cannot_be_read_is_refused(api: Caller, body: bytes, content_type: str, status: int) -> None:
    answer = post(api, body, content_type, **BINARY)
    assert answer.status_code == status
    check_problem(answer)


def test_a_media_type_that_is_no_event_is_told_which_are(api: Caller) -> None:
    detail = post(api, b"<a/>", "application/xml").json()["detail"]
    assert detail.startswith("application/xml is not taken")
    for name in (STRUCTURED, BATCH, "application/json", "ce- headers"):
        assert name in detail


def test_a_form_cannot_be_an_event_not_even_from_the_browser(signed_in: Any) -> None:
    answer = signed_in("Admin").client.post(EVENTS, {"a": "1"}, headers=BINARY)
    assert answer.status_code == 415
    check_problem(answer)


def test_an_empty_batch_is_fine(api: Caller) -> None:
    answer = post(api, b"[]", BATCH)
    assert (answer.status_code, answer.json()) == (200, [])


def test_the_inbox_is_read_in_pages_by_type_and_by_run(api: Caller) -> None:
    step = listener(kind="b")
    for number in range(5):
        post(api, json.dumps(event(str(number), kind="ab"[number % 2])).encode(), STRUCTURED)
    first = api("GET", "events?limit=2").json()
    assert [each["event_id"] for each in first["items"]] == ["4", "3"]
    second = api("GET", first["next"]).json()
    assert [each["event_id"] for each in second["items"]] == ["2", "1"]
    assert api("GET", second["previous"]).json()["items"] == first["items"]
    assert [each["event_id"] for each in api("GET", "events?type=b").json()["items"]] == ["3", "1"]
    assert [each["event_id"] for each in api("GET", f"events?run={step.run_id}").json()["items"]] == ["3", "1"]
    assert api("GET", f"events?run={uuid4()}").json()["items"] == []
    assert api("GET", "events?run=1").status_code == 400


def test_an_event_is_shown_with_envelope_and_runs(api: Caller) -> None:
    step = listener()
    sent = post(api, json.dumps(event(data={"a": 1})).encode(), STRUCTURED).json()
    shown = api("GET", f"events/{sent['id']}").json()
    assert (shown["envelope"], shown["runs"], shown["via"]) == (event(data={"a": 1}), [str(step.run_id)], "api")
    assert api("GET", f"events/{UUID(int=0)}").status_code == 404


def test_who_sent_an_event_is_in_the_audit_trail(api: Caller) -> None:
    from audit.models import AuditEvent

    sent = post(api, json.dumps(event()).encode(), STRUCTURED).json()
    assert AuditEvent.objects.get(chain=sent["id"]).actor.startswith("key:")
    assert person("Admin").has_perm("workflows.send_event")
