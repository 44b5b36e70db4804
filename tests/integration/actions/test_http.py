from email.utils import formatdate
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from actions import secrets
from actions.context import Context
from actions.contract import Contract
from actions.invoke import Outcome, invoke
from actions.models import Connection
from actions.retry import Retry
from tests.integration.actions.web import Request, Web


def run(config: dict[str, Any], value: Any = None, *, timeout_ms: int = 3_000) -> Outcome:
    contract = Contract("http", config, {}, {}, Retry().as_dict(), timeout_ms, "keyed", False, "retry", "default")
    return invoke(
        contract, {} if value is None else value, Context("019a0000-0000-7000-8000-000000000001", "s", 1, "run:step", 7)
    )


def failed(outcome: Outcome) -> tuple[str, bool, bool]:
    assert outcome.failure is not None
    return outcome.failure.code, outcome.failure.retryable, outcome.failure.definite


def only(server: Web) -> Request:
    assert len(server.requests) == 1
    return server.requests[0]


def test_the_receiver_can_tell_a_repetition_and_a_zombie(server: Web) -> None:
    assert run({"method": "POST", "url": server.url()}, {"a": 1}).ok
    request = only(server)
    assert request.headers["idempotency-key"] == "run:step"
    assert request.headers["x-dotdo-fence"] == "7"
    assert request.headers["accept-encoding"] == "identity"
    assert request.body == b'{"a": 1}'
    assert request.headers["content-type"] == "application/json"


def test_values_in_the_url_cannot_leave_their_place(server: Web) -> None:
    config = {"method": "GET", "url": server.url("/users/{id}/x"), "query": {"q": "{{ q }}", "none": "{{ n }}"}}
    assert run(config, {"id": "../../admin?x=1#y", "q": "a&b=c", "n": None}).ok
    assert only(server).path == "/users/..%2F..%2Fadmin%3Fx%3D1%23y/x?q=a%26b%3Dc"


@pytest.mark.parametrize("value", ["", ".", "..", None])
def test_a_url_field_that_would_change_the_path_is_refused(server: Web, value: str | None) -> None:
    assert failed(run({"method": "DELETE", "url": server.url("/users/{id}")}, {"id": value}))[0] == "invalid_url"
    assert failed(run({"method": "DELETE", "url": server.url("/users/{id}")}, {}))[0] == "missing_field"
    assert server.requests == []


def test_the_body_is_what_the_configuration_maps(server: Web) -> None:
    config = {"method": "PUT", "url": server.url(), "body": {"who": "{{ u.name }}", "n": ["{{ n }}", "#{{ n }}"]}}
    assert run(config, {"u": {"name": "Zoë"}, "n": 5}).ok
    assert only(server).body == '{"who": "Zoë", "n": [5, "#5"]}'.encode()


def test_a_form_is_sent_as_a_form(server: Web) -> None:
    config = {
        "method": "POST",
        "url": server.url(),
        "encoding": "form",
        "body": {"a": "{{ a }}", "b": "x y", "c": None},
    }
    assert run(config, {"a": "1&2"}).ok
    assert only(server).body == b"a=1%262&b=x+y"
    assert only(server).headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("path", "content"),
    [("/text", "héllo"), ("/binary", "AP8="), ("/empty", None), ("/json", {"path": "/json", "ok": True})],
)
def test_the_answer_is_read_by_its_type(server: Web, path: str, content: Any) -> None:
    assert run({"method": "GET", "url": server.url(path)}).output == content


def test_the_whole_answer_can_be_the_result(server: Web) -> None:
    output = run({"method": "GET", "url": server.url("/text"), "response": "response"}).output
    assert (output["status"], output["content"]) == (200, "héllo")
    assert output["headers"]["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ("http_400", False, True)),
        (404, ("http_404", False, True)),
        (408, ("http_408", False, False)),
        (409, ("http_409", False, False)),
        (429, ("http_429", True, False)),
        (500, ("http_500", True, False)),
        (503, ("http_503", True, False)),
        (302, ("http_302", False, False)),
    ],
)
def test_a_status_says_whether_another_try_can_help(server: Web, status: int, expected: tuple[str, bool, bool]) -> None:
    outcome = run({"method": "GET", "url": server.url(f"/status/{status}")})
    assert failed(outcome) == expected
    assert outcome.failure is not None
    assert outcome.failure.message.endswith(": because")
    assert outcome.failure.details["status"] == status


def test_a_rule_for_a_status_comes_before_the_rule_for_its_class(server: Web) -> None:
    errors = {"4xx": {"code": "refused"}, "409": {"code": "exists", "retryable": True}}
    for status, expected in ((409, ("exists", True)), (400, ("refused", False)), (500, ("http_500", True))):
        config = {"method": "GET", "url": server.url(f"/status/{status}"), "errors": errors}
        assert failed(run(config))[:2] == expected


def test_a_status_can_be_declared_a_success(server: Web) -> None:
    assert run({"method": "GET", "url": server.url("/status/404"), "success": ["2xx", 404]}).output == {
        "message": "because"
    }


@pytest.mark.parametrize(
    ("after", "low", "high"),
    [
        ("120", 120, 120),
        (formatdate(4_102_444_800, usegmt=True).replace(" ", "%20"), 10**8, 10**10),
        ("soon", None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(server: Web, after: str, low: float | None, high: float | None) -> None:
    failure = run({"method": "GET", "url": server.url(f"/status/503/{after}")}).failure
    assert failure is not None
    if low is None or high is None:
        assert failure.retry_after is None
    else:
        assert failure.retry_after is not None
        assert low <= failure.retry_after <= high


def test_a_refusal_in_a_fine_answer_is_a_failure(server: Web) -> None:
    assert failed(run({"method": "POST", "url": server.url("/refused")}, {}))[:2] == ("sold_out", False)


def test_an_answer_that_is_not_what_it_says_is_a_failure_with_open_outcome(server: Web) -> None:
    assert failed(run({"method": "POST", "url": server.url("/broken")}, {})) == ("invalid_response", False, False)


def test_the_request_ends_before_the_handlers_time_does(server: Web) -> None:
    outcome = run({"method": "GET", "url": server.url("/silence")}, timeout_ms=500)
    assert failed(outcome)[0] in {"deadline_exceeded", "timeout"}
    assert outcome.seconds < 1.5


@pytest.mark.django_db
class TestConnection:
    @pytest.fixture
    def connection(self, server: Web) -> Connection:
        row = Connection(name="crm", allowed_hosts=[f"127.0.0.1:{server.port}"])
        secrets.set_secret(row, {"token": "canary-t", "username": "ann", "password": "canary-p"}, actor="test")
        return row

    @pytest.mark.parametrize(
        ("how", "header", "value"),
        [
            ({}, "authorization", "Bearer canary-t"),
            ({"as": "basic"}, "authorization", "Basic YW5uOmNhbmFyeS1w"),
            ({"as": "header", "header": "X-Api-Key"}, "x-api-key", "canary-t"),
        ],
    )
    def test_the_secret_goes_into_the_request_only(
        self, server: Web, connection: Connection, how: dict[str, str], header: str, value: str
    ) -> None:
        outcome = run({"method": "GET", "url": server.url("/status/400"), "connection": {"name": "crm", **how}})
        assert only(server).headers[header] == value
        assert outcome.failure is not None
        assert "canary" not in str(outcome.failure.as_dict()) + str(outcome.log)

    def test_the_secret_does_not_go_to_another_host(self, server: Web, connection: Connection) -> None:
        connection.allowed_hosts = ["api.example.com"]
        connection.save(update_fields=["allowed_hosts"])
        config = {"method": "GET", "url": server.url(), "connection": {"name": "crm"}}
        assert failed(run(config)) == ("secret_refused", False, True)
        assert server.requests == []

    def test_the_secret_is_not_sent_in_clear_unless_an_administrator_named_the_host(
        self, server: Web, connection: Connection, settings: Settings
    ) -> None:
        settings.OUTGOING_ALLOW = ["127.0.0.0/8"]
        config = {"method": "GET", "url": server.url(), "connection": {"name": "crm"}}
        assert failed(run(config))[0] == "secret_refused"
        assert server.requests == []

    def test_a_connection_that_is_not_there_is_named(self, server: Web) -> None:
        outcome = run({"method": "GET", "url": server.url(), "connection": {"name": "nope"}})
        assert failed(outcome)[0] == "no_connection"
