"""Requests that mean no good: the doors answer all of them, and never with a 500."""

from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotdo_site.access.rates import Rate
from tests.support.listening import listener
from tests.support.webhooks import endpoint, signed
from workflows import hooks
from workflows.operations import deliveries
from workflows.views import hooks as views

pytestmark = pytest.mark.django_db
TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain", "text/x y", "multipart/form-data", "x"]
BODIES = st.binary(max_size=80) | st.sampled_from(
    [b"[" * 70_000, b'{"a":' * 70, b"9" * 400, b'"\\ud800"', b"a=1&" * 2_000, b"\xef\xbb\xbf{}", b"1e999", b"null"]
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
NAMES = ["webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256", "stripe-signature",
         "x-github-delivery", "x-github-event", "idempotency-key", "accept"]  # fmt: skip
REQUESTS: Any = {
    "body": BODIES,
    "content_type": st.sampled_from(TYPES) | HEADER,
    "headers": st.dictionaries(st.sampled_from(NAMES), HEADER, max_size=4),
}
PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((views, "KNOCKS"), (views, "STRANGERS"), (deliveries, "STRANGERS")):
        monkeypatch.setattr(module, name, Rate(1_000_000))


@pytest.fixture
def client() -> Client:
    return Client(headers={"host": "localhost"})


def test_the_address_of_a_run(client: Client) -> None:
    to = hooks.path(listener().run_id)

    @PATIENT
    @given(**REQUESTS)
    def knock(body: bytes, content_type: str, headers: dict[str, str]) -> None:
        answer = client.post(to, body, content_type=content_type, headers=headers)
        assert answer.status_code in (200, 202, 400, 413, 415, 422), answer.content

    knock()


def test_an_endpoint_that_is_not_given_a_signature(client: Client) -> None:
    endpoint()

    @PATIENT
    @given(**REQUESTS)
    def knock(body: bytes, content_type: str, headers: dict[str, str]) -> None:
        answer = client.post("/hooks/e/standard-door", body, content_type=content_type, headers=headers)
        assert answer.status_code == 401, answer.content

    knock()


@pytest.mark.parametrize("style", ["standard", "github", "stripe"])
def test_an_endpoint_whose_sender_is_known_and_sends_nonsense(client: Client, style: str) -> None:
    endpoint(style)

    @PATIENT
    @given(**REQUESTS)
    def knock(body: bytes, content_type: str, headers: dict[str, str]) -> None:
        _, signature = signed(style, body, "msg_1")
        answer = client.post(f"/hooks/e/{style}-door", body, content_type=content_type, headers=headers | signature)
        assert answer.status_code in (200, 400, 415, 422), answer.content

    knock()
