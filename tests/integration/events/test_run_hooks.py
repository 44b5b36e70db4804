"""The address of one run: a token that nobody can guess, a button for people, JSON for programs."""

import uuid
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings as configured
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from dotdo_site.access.rates import Rate
from tests.integration.api.conftest import check_problem
from tests.support.listening import listener
from workflows import hooks
from workflows.models import Event, Message, Step
from workflows.operations.webhooks import HOOK_TYPE
from workflows.views import hooks as views

RUN = uuid.UUID("01980000-0000-7000-8000-000000000001")
HTML = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def client() -> Client:
    return Client(headers={"host": "localhost"}, enforce_csrf_checks=True)


@pytest.fixture
def waiting(db: None) -> Step:
    return listener(kind=HOOK_TYPE)


def path(step: Step, name: str = "") -> str:
    return hooks.path(step.run_id) + (f"/{name}" if name else "")


def post(
    client: Client, to: str, body: bytes = b"{}", content_type: str = "application/json", headers: Any = None
) -> Any:
    return client.post(to, body, content_type=content_type, headers=headers)


def test_the_token_names_its_run_and_no_other() -> None:
    assert hooks.run_of(hooks.token(RUN)) == RUN
    other = hooks.token(uuid.uuid4())
    assert hooks.run_of(RUN.hex + other[32:]) is None
    assert hooks.url(RUN) == f"{configured.PUBLIC_URL}/hooks/{hooks.token(RUN)}"


def test_the_token_depends_on_the_secret_key_and_older_keys_may_stay_valid(settings: Settings) -> None:
    token, old = hooks.token(RUN), settings.SECRET_KEY
    settings.SECRET_KEY = "another"
    assert hooks.run_of(token) is None
    settings.SECRET_KEY_FALLBACKS = [old]
    assert hooks.run_of(token) == RUN


@given(st.one_of(st.text(max_size=70), st.from_regex(r"[0-9a-f]{32}\.[A-Za-z0-9_-]{27}", fullmatch=True)))
def test_whatever_is_made_up_is_no_token(text: str) -> None:
    assert hooks.run_of(text) is None


@pytest.mark.parametrize("at", range(60))
def test_a_token_with_one_changed_character_is_none(at: int) -> None:
    token = hooks.token(RUN)
    assert hooks.run_of(token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]) is None


def test_what_is_sent_is_kept_for_the_run_and_wakes_it(client: Client, waiting: Step) -> None:
    answer = post(client, path(waiting), b'{"ok": true}', headers={"idempotency-key": "n-1"})
    event = Event.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {"event": str(event.pk), "created": True, "delivered": True}
    assert event.envelope == event.envelope | {
        "id": "n-1",
        "type": HOOK_TYPE,
        "source": f"/hooks/{waiting.run_id}",
        "subject": str(waiting.run_id),
        "datacontenttype": "application/json",
        "data": {"ok": True},
    }
    assert (event.via, event.run_id, Message.objects.get().run_id) == ("webhook", waiting.run_id, waiting.run_id)
    waiting.refresh_from_db()
    assert waiting.state == "ready"


@pytest.mark.parametrize("header", ["webhook-id", "x-github-delivery", "idempotency-key"])
def test_the_number_of_a_delivery_makes_it_once(client: Client, waiting: Step, header: str) -> None:
    answers = [post(client, path(waiting), headers={header: "n-1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]
    assert answers[0].json()["event"] == answers[1].json()["event"]
    assert Message.objects.count() == 1


def test_without_a_number_each_delivery_is_another(client: Client, waiting: Step) -> None:
    assert post(client, path(waiting)).status_code == post(client, path(waiting)).status_code == 202
    assert Message.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        (b"[1, 2]", "application/json; charset=utf-8", [1, 2]),
        (b'"x"', "application/vnd.api+json", "x"),
        (urlencode({"a": "1", "b": ["x", "y"]}, doseq=True).encode(), "application/x-www-form-urlencoded",
         {"a": "1", "b": ["x", "y"]}),
        ("grüße".encode(), "text/plain; charset=utf-8", "grüße"),
        (b"7", "", 7),
    ],
)  # fmt: skip
def test_json_forms_and_text_become_data(
    client: Client, waiting: Step, body: bytes, content_type: str, data: object
) -> None:
    assert post(client, path(waiting), body, content_type).status_code == 202
    assert Event.objects.get().envelope["data"] == data


def test_the_name_behind_the_token_is_an_attribute(client: Client, waiting: Step) -> None:
    assert post(client, path(waiting, "approve"), b"", "").status_code == 202
    envelope = Event.objects.get().envelope
    assert envelope["hook"] == "approve"
    assert "data" not in envelope


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b"\xff", "text/plain", 400),
        (b"a\x00b", "text/plain", 400),
        (b"a=%FF", "application/x-www-form-urlencoded", 400),
        (b"a=%00", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=1"] * 1001), "application/x-www-form-urlencoded", 400),
        (b"\x89PNG", "image/png", 415),
        (b"<a/>", "application/xml", 415),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415),
        (b"x" * (256 * 1024 + 1), "text/plain", 413),
        (b"x" * (1024 * 1024 + 1), "text/plain", 413),
        (b"hello", "text/", 422),
    ],
)
def test_other_bodies_are_refused(client: Client, waiting: Step, body: bytes, content_type: str, status: int) -> None:
    answer = post(client, path(waiting), body, content_type)
    assert answer.status_code == status
    check_problem(answer)
    assert not Event.objects.exists()


def test_a_media_type_that_is_not_taken_is_told_which_are(client: Client, waiting: Step) -> None:
    detail = post(client, path(waiting), b"<a/>", "application/xml").json()["detail"]
    assert detail == (
        "application/xml is not taken: send application/json, application/x-www-form-urlencoded, text/plain"
    )


def test_a_body_that_is_too_large_is_told_so_in_plain_words(client: Client, waiting: Step) -> None:
    answer = post(client, path(waiting), b"x" * (1024 * 1024 + 1), "text/plain")
    assert answer.json()["detail"] == "the body is longer than 1048576 bytes"


@pytest.mark.parametrize("number", ["x" * 256, "a\x7fb"])
def test_a_number_that_cannot_be_kept_is_refused(client: Client, waiting: Step, number: str) -> None:
    assert post(client, path(waiting), headers={"webhook-id": number}).status_code == 400


def test_looking_at_the_link_sets_nothing_off(client: Client, waiting: Step) -> None:
    page = client.get(path(waiting, "approve"), headers=HTML)
    assert page.status_code == 200
    assert "Send “approve”" in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert client.head(path(waiting, "approve")).status_code == 200
    assert not Event.objects.exists()


def test_the_button_sends_once_without_session_cookie_or_csrf_token(client: Client, waiting: Step) -> None:
    page = client.get(path(waiting, "approve"), headers=HTML).content.decode()
    action = page.partition('action="')[2].partition('"')[0]
    pressed = [
        post(client, path(waiting, "approve") + action, b"", "application/x-www-form-urlencoded", headers=HTML)
        for _ in "12"
    ]
    assert [answer.status_code for answer in pressed] == [200, 200]
    assert "“approve” was received" in pressed[0].content.decode()
    assert Event.objects.get().envelope["hook"] == "approve"
    assert not client.cookies


def test_the_pages_obey_the_content_security_policy(client: Client, waiting: Step) -> None:
    pages = [client.get(path(waiting), headers=HTML), post(client, path(waiting), b"", "", headers=HTML)]
    for page in [*pages, client.get("/hooks/made-up", headers=HTML)]:
        text = page.content.decode()
        assert "default-src 'none'" in page["Content-Security-Policy"]
        assert " style=" not in text
        assert "<style" not in text
        assert " onclick" not in text
        assert "<script>" not in text


@pytest.mark.parametrize("over", ["succeeded", "cancelled"])
def test_when_the_run_is_over_the_answer_is_recorded_and_says_so(client: Client, db: None, over: str) -> None:
    step = listener(run_state=over, state="cancelled")
    answer = post(client, path(step))
    assert (answer.status_code, answer.json()["delivered"]) == (202, False)
    assert "It is over already" in post(client, path(step), headers=HTML).content.decode()
    assert Event.objects.count() == 2
    assert not Message.objects.exists()


@pytest.mark.parametrize("over", ["succeeded", "cancelled"])
def test_the_page_of_a_run_that_is_over_offers_no_button(client: Client, db: None, over: str) -> None:
    step = listener(run_state=over, state="cancelled")
    for address in (path(step), path(step, "approve")):
        page = client.get(address, headers=HTML)
        assert page.status_code == 200
        assert "It is over already" in page.content.decode()
        assert "<button" not in page.content.decode()


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_unknown_tokens_are_not_found(client: Client, db: None, method: str) -> None:
    for token in ("x", RUN.hex, hooks.token(RUN)[:-1], hooks.token(RUN)[:-1] + "é", "a/b"):
        assert getattr(client, method)(f"/hooks/{token}").status_code == 404


def test_the_token_of_a_run_that_was_deleted_is_not_found(client: Client, db: None) -> None:
    assert client.get(f"/hooks/{hooks.token(RUN)}").status_code == 404
    answer = post(client, f"/hooks/{hooks.token(RUN)}")
    assert answer.status_code == 404
    check_problem(answer)


def test_errors_are_pages_for_people_and_documents_for_programs(client: Client, db: None) -> None:
    page, document = client.get("/hooks/made-up", headers=HTML), client.get("/hooks/made-up")
    assert "This address belongs to no run." in page.content.decode()
    check_problem(document)


def test_other_methods_are_not_served(client: Client, waiting: Step) -> None:
    for method in ("put", "patch", "delete", "options"):
        assert getattr(client, method)(path(waiting)).status_code == 405


def test_knocking_too_often_is_refused(client: Client, waiting: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "KNOCKS", Rate(2))
    monkeypatch.setattr(views, "STRANGERS", Rate(2))
    for to in (path(waiting), "/hooks/made-up"):
        answers = [post(client, to) for _ in range(3)]
        assert answers[0].status_code in (202, 404)
        assert answers[2].status_code == 429
        assert int(answers[2]["Retry-After"]) > 0
