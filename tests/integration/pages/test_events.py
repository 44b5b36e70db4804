"""The inbox and the deliveries at endpoints, as people see them; events that they send or deliver again."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from tests.support.documents import publish
from tests.support.webhooks import endpoint, signed
from workflows import operations
from workflows.models import Event, Run
from workflows.operations import Incoming
from workflows.queries import keyset

Reader = Callable[..., Client]
STARTS = "schedule: {on: {one: {with: {type: order.paid}}}}\ndo: [{a: {set: {b: 1}}}]"


def page(client: Client, path: str = "/events/", status: int = 200, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == status
    return response.content.decode()


def deliver(kind: str = "order.paid", number: str = "", via: str = "api", **fields: Any) -> UUID:
    envelope = {"specversion": "1.0", "id": number or uuid4().hex, "source": "/shop", "type": kind, **fields}
    return operations.deliver_event(envelope, actor="user:test", via=via).event_id


def typed(**fields: str) -> dict[str, str]:
    given = {"id": str(uuid4()), "type": "order.paid", "source": "/desk", "subject": "", "data": "{}", "reason": "why"}
    return given | fields


def test_the_inbox_shows_what_came_and_filters_by_all_that_it_shows(reader: Reader, database: None) -> None:
    deliver("<b>order</b>", source="/shop/\u202eevil")
    deliver("late", via="endpoint")
    client = reader()
    shown = page(client)
    assert "&lt;b&gt;order&lt;/b&gt;" in shown
    assert "\\u202eevil" in shown
    only = {"type=late": 1, "source=/shop": 1, "via=endpoint": 1, "taken=no": 2, "since=1h": 2, "from=2031-01-01": 0}
    for query, count in {**only, f"run={uuid4()}": 0, "until=2031-01-01T10:00": 2}.items():
        assert page(client, f"/events/?{query}").count('class="t"') == count, query


@pytest.mark.parametrize(
    "query", ["via=pigeon", "run=1", "from=noon", "until=9999-12-31T23:59", "from=0001-01-01", "nonsense=1", "after=x"]
)
def test_an_address_that_cannot_be_understood_shows_no_event(reader: Reader, database: None, query: str) -> None:
    deliver()
    shown = page(reader(), f"/events/?{query}", 400)
    assert "cannot be understood" in shown
    assert 'class="t"' not in shown


def test_pages_lead_there_and_back_past_what_was_not_looked_through(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, database: None
) -> None:
    monkeypatch.setattr(keyset, "LOOKED_THROUGH", 3)
    monkeypatch.setattr("workflows.views.listing.PAGE_SIZE", 2)
    for number in range(9):
        deliver(via="endpoint" if number in (0, 8) else "api", number=f"n-{number}")
        time.sleep(0.002)
    client, seen, path = reader(), [], "/events/?via=endpoint"
    for _ in range(4):
        shown = page(client, path)
        seen += [number for number in range(9) if f"n-{number}<" in shown]
        before, _, rest = shown.partition('rel="next"')
        if not rest:
            break
        path = "/events/?" + before.rpartition('href="?')[2].partition('"')[0].replace("&amp;", "&")
    assert seen == [8, 0]
    backwards = list[int]()
    while 'rel="prev"' in (shown := page(client, path)):
        path = "/events/?" + shown.partition('rel="prev"')[0].rpartition('href="?')[2].partition('"')[0].replace(
            "&amp;", "&"
        )
        backwards += [number for number in range(9) if f"n-{number}<" in page(client, path)]
    assert backwards[-1:] == [8]


def test_what_is_new_is_offered_and_not_put_above_the_reader(reader: Reader, database: None) -> None:
    deliver()
    client = reader()
    shown = page(client)
    poll = shown.partition('hx-get="')[2].partition('"')[0].replace("&amp;", "&")
    assert client.get(poll, headers={"HX-Request": "true"}).status_code == 204
    deliver()
    told = page(client, poll, 200, **{"HX-Request": "true"})
    assert "1 new event" in told
    assert "<tr" not in told


def test_an_event_says_which_runs_it_started_and_hides_what_is_secret(reader: Reader, database: None) -> None:
    publish("job", STARTS)
    number = deliver(data={"password": "hunter2", "order": "o-1"})
    shown = page(reader(), f"/events/{number}/")
    assert "was started by it" in shown
    assert f"/runs/{Run.objects.get().pk}/" in shown
    assert "/workflows/job/" in shown
    assert "hunter2" not in shown
    assert "o-1" in shown
    assert page(reader(), f"/events/{uuid4()}/", 404)


def test_an_event_that_is_sent_twice_is_taken_once_and_audited_with_its_reason(reader: Reader, database: None) -> None:
    publish("job", STARTS)
    client, form = reader(), typed(reason="the shop was down")
    first, second = client.post("/events/send/", form), client.post("/events/send/", form)
    found = Event.objects.get()
    assert first["Location"] == second["Location"] == f"/events/{found.pk}/"
    assert (found.via, found.source, Run.objects.count()) == ("person", "/desk", 1)
    assert AuditEvent.objects.get(kind="event.received").reason == "the shop was down"
    shown = page(client, first["Location"])
    assert "handed to 1 run." in shown
    assert "nothing was sent twice" in shown


def test_all_that_is_wrong_with_an_event_is_said_at_once_and_nothing_typed_is_lost(
    reader: Reader, database: None
) -> None:
    response = reader().post("/events/send/", typed(type="", source="a b", data="{", reason=" ", subject="<kept>"))
    shown = response.content.decode()
    assert response.status_code == 422
    for words in ("/type", "/source", "Data:", "Say why", "&lt;kept&gt;"):
        assert words in shown
    assert not Event.objects.exists()


def test_an_event_is_delivered_again_as_another_one_once(reader: Reader, database: None) -> None:
    publish("job", STARTS)
    number = deliver(data={"password": "hunter2"})
    client, form = reader(), {"id": str(uuid4()), "reason": "a fix"}
    assert client.post(f"/events/{number}/replay/", {"id": "x", "reason": ""}).status_code == 422
    locations = {client.post(f"/events/{number}/replay/", form)["Location"] for _ in range(2)}
    again = Event.objects.exclude(pk=number).get()
    assert locations == {f"/events/{again.pk}/"}
    assert again.envelope["data"] == {"password": "hunter2"}
    assert Run.objects.count() == 2
    assert f"/events/{number}/" in page(client, f"/events/{again.pk}/")
    assert client.get(f"/events/{uuid4()}/replay/").status_code == 404


def test_the_number_of_queries_does_not_grow_with_the_events(reader: Reader, database: None) -> None:
    client = reader()
    deliver()
    page(client)
    with CaptureQueriesContext(connection) as one:
        page(client)
    for _ in range(5):
        deliver()
    with CaptureQueriesContext(connection) as many:
        page(client)
    assert len(many) == len(one)


def test_each_request_at_an_endpoint_is_listed_with_what_became_of_it(reader: Reader, database: None) -> None:
    door = endpoint()
    body, headers = signed("standard", {"a": 1})
    for given in (headers, headers, headers | {"webhook-signature": "v1,AAAA"}):
        incoming = Incoming(given, body, datetime.now(UTC))
        try:
            operations.receive_signed(door.name, incoming)
        except operations.SignatureRefused:
            continue
    client = reader("Auditor")
    shown = page(client, "/events/deliveries/")
    for words in ("Accepted", "Known already", "Refused", "401", f"/events/{Event.objects.get().pk}/"):
        assert words in shown
    assert page(client, "/events/deliveries/?outcome=refused").count('class="t"') == 1
    assert page(client, "/events/deliveries/?endpoint=other").count('class="t"') == 0
    assert page(client, "/events/deliveries/?outcome=lost", 400)
    address = page(client, "/events/deliveries/?outcome=refused").partition('class="t" href="')[2].partition('"')[0]
    assert "delivers events of the type com.example.hook" in page(client, address)
    assert page(client, f"/events/deliveries/{uuid4()}/", 404)
