import time
from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from actions.errors import ActionError
from actions.handlers.guard import GuardedClient
from tests.integration.actions.web import Web, serving


@pytest.fixture
def inner() -> Iterator[Web]:
    """A server on an inner address that nobody allowed."""
    with serving() as running:
        yield running


def fetch(url: str, *, timeout: float = 2, addresses: list[str] | None = None) -> int:
    client = GuardedClient(resolver=(lambda host, port: addresses) if addresses is not None else None)
    return client.request("GET", url, timeout=timeout).status


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://127.0.1:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://0x7f.1:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://017700000001:{port}/",
        "http://0:{port}/",
        "http://0.0.0.0:{port}/",
        "http://localhost:{port}/",
        "http://LOCALHOST:{port}/",
        "http://localhost.:{port}/",
        "http://[::1]:{port}/",
        "http://[::]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
        "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
        "http://[64:ff9b::7f00:1]:{port}/",
        "http://[2002:7f00:1::]:{port}/",
        "http://[::1%25lo]:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://１２７.０.０.１:{port}/",  # noqa: RUF001 - full-width digits are the test
        "http://ⓛocalhost:{port}/",
        "http://127.0.0.1:{port}",
        "http://user@127.0.0.1:{port}/",
        "http://example.com@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}#@example.com/",
    ],
)
def test_no_spelling_of_an_inner_address_gets_through(inner: Web, url: str) -> None:
    with pytest.raises(ActionError) as error:
        fetch(url.format(port=inner.port))
    assert error.value.code in {"blocked_address", "invalid_url", "connection_failed"}
    assert inner.requests == []


@pytest.mark.parametrize("scheme", ["ftp", "file", "gopher", "ws", "unix", "javascript", "data", ""])
def test_only_the_web_is_called(scheme: str) -> None:
    with pytest.raises(ActionError, match="invalid_url"):
        fetch(f"{scheme}://example.com/")


def test_one_inner_address_among_public_ones_refuses_the_name(inner: Web) -> None:
    with pytest.raises(ActionError, match="blocked_address"):
        fetch("http://mixed.example/", addresses=["93.184.216.34", "127.0.0.1"])


def test_a_name_that_changes_its_answer_is_asked_only_once(inner: Web, settings: Settings) -> None:
    answers = iter([["10.255.255.1"], ["127.0.0.1"], ["127.0.0.1"]])
    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    settings.OUTGOING_ALLOW = ["10.255.255.1"]
    with pytest.raises(ActionError) as error:
        GuardedClient(resolver=rebinding).request("GET", inner.url(host="rebind.example"), timeout=0.5)
    assert error.value.code in {"connection_failed", "deadline_exceeded"}
    assert asked == ["rebind.example"]
    assert inner.requests == []


def test_only_the_ports_of_the_web_are_called() -> None:
    with pytest.raises(ActionError, match="blocked_address"):
        fetch("http://public.example:22/", addresses=["93.184.216.34"])


def test_the_allow_list_opens_one_door_only(inner: Web, server: Web) -> None:
    assert fetch(server.url()) == 200
    with pytest.raises(ActionError, match="blocked_address"):
        fetch(inner.url())


def test_an_allowed_name_may_be_inside(server: Web, settings: Settings) -> None:
    settings.OUTGOING_ALLOW = [f"crm.internal:{server.port}"]
    assert fetch(server.url(host="crm.internal"), addresses=["127.0.0.1"]) == 200
    with pytest.raises(ActionError, match="blocked_address"):
        fetch(server.url(host="other.internal"), addresses=["127.0.0.1"])


def test_a_redirect_is_an_answer_not_an_order(server: Web) -> None:
    assert fetch(server.url("/redirect")) == 302
    assert len(server.requests) == 1


def test_a_proxy_in_the_environment_is_ignored(server: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert fetch(server.url()) == 200


@pytest.mark.parametrize(("path", "code"), [("/gzip", "encoded_response"), ("/large", "response_too_large")])
def test_a_bomb_is_refused(server: Web, path: str, code: str) -> None:
    with pytest.raises(ActionError, match=code):
        fetch(server.url(path))


def test_an_endless_answer_is_cut_off(server: Web) -> None:
    with pytest.raises(ActionError, match="response_too_large"):
        fetch(server.url("/endless"))


@pytest.mark.parametrize("path", ["/drip", "/drip_head", "/silence"])
def test_the_deadline_counts_for_the_whole_exchange_however_slowly_it_goes_on(server: Web, path: str) -> None:
    started = time.monotonic()
    with pytest.raises(ActionError, match="deadline_exceeded") as error:
        fetch(server.url(path), timeout=0.5)
    assert time.monotonic() - started < 1
    assert error.value.retryable
    assert not error.value.definite


def test_a_broken_connection_leaves_the_outcome_open(server: Web) -> None:
    with pytest.raises(ActionError, match="connection_lost") as error:
        fetch(server.url("/cut"))
    assert error.value.retryable
    assert not error.value.definite


def test_a_refused_connection_did_nothing(settings: Settings) -> None:
    with serving() as gone:
        url = gone.url()
        settings.OUTGOING_ALLOW = [f"127.0.0.1:{gone.port}"]
    with pytest.raises(ActionError, match="connection_failed") as error:
        fetch(url)
    assert error.value.retryable
    assert error.value.definite


def test_a_name_that_does_not_exist_may_exist_later() -> None:
    with pytest.raises(ActionError, match="connection_failed") as error:
        fetch("http://does-not-exist.invalid/")
    assert error.value.retryable


@pytest.mark.parametrize("headers", [{"X": "a\r\nEvil: 1"}, {"X\r\nEvil": "1"}, {"Host": "evil"}, {"X": "\u20ac"}])
def test_headers_cannot_smuggle(server: Web, headers: dict[str, str]) -> None:
    with pytest.raises(ActionError, match="invalid_header"):
        GuardedClient().request("GET", server.url(), headers=headers)
    assert server.requests == []


def test_a_large_body_arrives_whole(server: Web) -> None:
    GuardedClient().request("POST", server.url(), content=b"x" * 900_000)
    assert server.requests[0].body == b"x" * 900_000
