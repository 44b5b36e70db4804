"""`call: http` as a handler, against a real server: what is sent, what comes back, what is an error."""

from collections.abc import Sequence
from typing import Any

import pytest

from actions.context import Context
from actions.contract import Contract
from actions.invoke import Outcome, invoke
from actions.retry import Retry
from tests.integration.actions.web import Request, Web

RUN = "019a0000-0000-7000-8000-000000000001"


def run(value: Any, kind: str = "http-call", *, secrets: Sequence[str] = (), timeout_ms: int = 3_000) -> Outcome:
    contract = Contract(kind, {}, {}, {}, Retry().as_dict(), timeout_ms, "keyed", False, "retry", "default")
    return invoke(contract, value, Context(RUN, "/do/0/get", 1, "run:step", 7, secret_names=secrets))


def call(server: Web, path: str = "/", method: str = "get", **more: Any) -> Outcome:
    return run({"method": method, "endpoint": server.url(path), **more})


def failed(outcome: Outcome) -> tuple[str, Any]:
    assert outcome.failure is not None, outcome.output
    return outcome.failure.code, outcome.failure.details.get("status")


def only(server: Web) -> Request:
    assert len(server.requests) == 1
    return server.requests[0]


@pytest.mark.parametrize(
    ("path", "content", "raw"),
    [
        ("/text", "héllo", "aOlsbG8="),
        ("/binary", "AP8=", "AP8="),
        ("/empty", None, ""),
        ("/refused", {"success": False, "error": "sold_out", "message": "none left"}, None),
    ],
)
def test_the_content_is_read_by_its_type(server: Web, path: str, content: Any, raw: str | None) -> None:
    assert call(server, path).output == content
    if raw is not None:
        assert call(server, path, output="raw").output == raw


def test_the_response_is_request_and_answer(server: Web) -> None:
    output = call(server, "/text?a=1", output="response", query={"b": [1, 2]}, headers={"X-A": "b"}).output
    assert output["request"]["method"] == "GET"
    assert output["request"]["uri"] == server.url("/text?a=1&b=1&b=2")
    assert output["request"]["headers"]["X-A"] == "b"
    assert (output["statusCode"], output["content"]) == (200, "héllo")
    assert output["headers"]["content-type"].startswith("text/plain")


def test_headers_query_and_body_are_sent_as_they_are_given(server: Web) -> None:
    assert call(
        server, "/x", "post", headers={"X-Number": 7, "X-None": None}, query={"q": "a b", "n": None, "t": True},
        body={"a": [1, "é"]},
    ).ok  # fmt: skip
    request = only(server)
    assert request.path == "/x?q=a+b&t=true"
    assert request.headers["x-number"] == "7"
    assert "x-none" not in request.headers
    assert (request.body, request.headers["content-type"]) == ('{"a": [1, "é"]}'.encode(), "application/json")


@pytest.mark.parametrize(
    ("kind", "body", "sent"),
    [
        ("application/x-www-form-urlencoded", {"a": "1&2", "b": [1, 2], "c": None}, b"a=1%262&b=1&b=2"),
        ("application/xml; charset=utf-8", "<a/>", b"<a/>"),
        ("application/vnd.api+json", "text", b'"text"'),
        (None, "text", b'"text"'),
        (None, False, b"false"),
        (None, None, b""),
    ],
)
def test_the_body_is_json_unless_its_type_says_otherwise(server: Web, kind: str | None, body: Any, sent: bytes) -> None:
    assert call(server, "/", "put", body=body, headers={"content-type": kind} if kind else {}).ok
    assert only(server).body == sent


def test_the_receiver_can_tell_a_repetition_unless_the_request_changes_nothing(server: Web) -> None:
    call(server, "/", "get")
    call(server, "/", "delete")
    call(server, "/", "post", headers={"idempotency-key": "mine"})
    assert [request.headers.get("idempotency-key") for request in server.requests] == [None, "run:step", "mine"]


def test_a_request_that_could_have_a_body_says_that_it_has_none(server: Web) -> None:
    call(server, "/", "post")
    call(server, "/", "get")
    assert [request.headers.get("content-length") for request in server.requests] == ["0", None]


def test_a_template_is_filled_from_the_variables_which_are_not_sent(server: Web) -> None:
    value = {"method": "get", "endpoint": {"uri": server.url("/{id}?s={status}")}, "$variables": {"id": "a/b"}}
    assert run(value).ok
    assert only(server).path == "/a%2Fb?s="
    assert failed(run({**value, "$variables": {"id": []}})) == ("invalid_template", None)


@pytest.mark.parametrize("status", [300, 304, 400, 404, 409, 429, 500, 503])
def test_a_status_that_is_not_fine_is_an_error_with_that_status(server: Web, status: int) -> None:
    assert failed(call(server, f"/status/{status}")) == (f"http_{status}", status)


def test_a_redirect_is_returned_when_that_is_wanted_and_never_followed(server: Web) -> None:
    assert failed(call(server, "/redirect")) == ("http_302", 302)
    output = call(server, "/redirect", redirect=True, output="response").output
    assert (output["statusCode"], output["headers"]["location"][:22]) == (302, "http://169.254.169.254")
    assert failed(call(server, "/status/404", redirect=True)) == ("http_404", 404)
    assert [request.path for request in server.requests] == ["/redirect", "/redirect", "/status/404"]


@pytest.mark.parametrize(
    ("endpoint", "code"),
    [
        ("http://127.0.0.1:1/", "blocked_address"),
        ("http://169.254.169.254/latest/", "blocked_address"),
        ("http://user:pass@a.example/", "invalid_url"),
        ("ftp://a.example/", "invalid_url"),
        ("/only/a/path", "invalid_url"),
    ],
)
def test_a_place_that_cannot_be_reached_is_a_failure_to_communicate(server: Web, endpoint: str, code: str) -> None:
    assert failed(run({"method": "get", "endpoint": endpoint})) == (code, 500)


def test_a_server_that_is_not_there_is_a_failure_to_communicate(server: Web, settings: Any) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.1:9"]
    assert failed(run({"method": "get", "endpoint": "http://127.0.0.1:9/"})) == ("connection_failed", 500)


@pytest.mark.parametrize(
    ("path", "code"), [("/large", "response_too_large"), ("/cut", "connection_lost"), ("/broken", "invalid_response"),
                       ("/gzip", "encoded_response")],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_a_failure_to_communicate(server: Web, path: str, code: str) -> None:
    assert failed(call(server, path)) == (code, 500)


def test_a_silent_server_does_not_hold_the_worker(server: Web) -> None:
    outcome = run({"method": "get", "endpoint": server.url("/silence")}, timeout_ms=400)
    assert failed(outcome)[0] in {"deadline_exceeded", "timeout"}
    assert outcome.seconds < 2


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, ""),
        ({}, "/method"),
        ({"method": "get"}, "/endpoint"),
        ({"method": "brew", "endpoint": "https://a.example/"}, "/method"),
        ({"method": "get", "endpoint": 7}, "/endpoint"),
        ({"method": "get", "endpoint": {"url": "x"}}, "/endpoint"),
        ({"method": "get", "endpoint": "https://a.example/", "output": "text"}, "/output"),
        ({"method": "get", "endpoint": "https://a.example/", "redirect": "yes"}, "/redirect"),
        ({"method": "get", "endpoint": "https://a.example/", "headers": {"a": {}}}, "/headers/a"),
        ({"method": "get", "endpoint": "https://a.example/", "query": {"a": {"b": 1}}}, "/query/a"),
        ({"method": "get", "endpoint": "https://a.example/", "timeout": 1}, "/timeout"),
    ],
)
def test_arguments_that_do_not_fit_are_named_and_nothing_is_sent(server: Web, value: Any, where: str) -> None:
    outcome = run(value)
    assert failed(outcome) == ("invalid_input", None)
    assert outcome.failure is not None
    assert where in outcome.failure.message
    assert server.requests == []


def test_basic_and_bearer_become_a_header_that_no_result_shows(server: Web) -> None:
    for authentication, header in (
        ({"basic": {"username": "ann", "password": "pass-w"}}, "Basic YW5uOnBhc3Mtdw=="),
        ({"bearer": {"token": "tok-123"}}, "Bearer tok-123"),
    ):
        endpoint = {"uri": server.url("/text"), "authentication": authentication}
        output = run({"method": "get", "endpoint": endpoint, "output": "response"}).output
        assert server.requests[-1].headers["authorization"] == header
        assert output["request"]["headers"]["Authorization"] == "•••"


@pytest.mark.parametrize(
    ("authentication", "code"),
    [
        ({"basic": {"username": "ann"}}, "invalid_input"),
        ({"digest": {"username": "ann", "password": "x"}}, "invalid_input"),
        ({"basic": {"username": "a", "password": "b"}, "bearer": {"token": "t"}}, "invalid_input"),
        ({"bearer": {"use": "shop"}}, "secret_refused"),
    ],
)
def test_an_authentication_that_is_not_whole_sends_nothing(server: Web, authentication: Any, code: str) -> None:
    endpoint = {"uri": server.url(), "authentication": authentication}
    assert failed(run({"method": "get", "endpoint": endpoint}))[0] == code
    assert server.requests == []


def test_two_authorizations_are_refused_instead_of_one_winning(server: Web) -> None:
    endpoint = {"uri": server.url(), "authentication": {"bearer": {"token": "t"}}}
    outcome = run({"method": "get", "endpoint": endpoint, "headers": {"authorization": "Bearer u"}})
    assert failed(outcome)[0] == "invalid_input"
    assert server.requests == []
