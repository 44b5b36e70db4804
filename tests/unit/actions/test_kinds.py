from typing import Any

import pytest

from actions.handlers.kinds import CALLS, KINDS
from actions.publishing import BY_HAND

HTTP = {"method": "POST", "url": "https://api.example.com/users/{id}"}
MAIL = {"to": "{{ email }}", "subject": "Hi", "text": "Hello {{ name }}"}


@pytest.mark.parametrize(
    "config",
    [
        HTTP,
        HTTP | {"query": {"q": "{{ q }}"}, "headers": {"X-Tag": "{{ tag }}"}, "body": {"a": ["{{ a }}"]}},
        HTTP
        | {"success": ["2xx", 404], "errors": {"409": {"code": "exists", "retryable": False}, "4xx": {"code": "no"}}},
        HTTP | {"connection": {"name": "crm", "as": "header", "header": "X-Api-Key"}, "response": "response"},
        HTTP | {"encoding": "form", "body": {"a": "{{ a }}"}},
    ],
)
def test_a_proper_http_configuration_passes(config: dict[str, Any]) -> None:
    assert KINDS["http"].check(config) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"method": "BREW"}, "/method"),
        ({"url": None}, "/url"),
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": "https://{host}/"}, "/url"),
        ({"url": "https://user:pass@example.com/"}, "/url"),
        ({"url": "https://example.com/{a b}"}, "/url"),
        ({"url": "https://example.com/#x"}, "/url"),
        ({"url": "https://[::1/"}, "/url"),
        ({"verify": False}, "/verify"),
        ({"redirects": 3}, "/redirects"),
        ({"headers": {"Authorization": "Bearer x"}}, "/headers/Authorization"),
        ({"headers": {"idempotency-key": "x"}}, "/headers/idempotency-key"),
        ({"headers": {"Host": "x"}}, "/headers/Host"),
        ({"headers": {"a b": "x"}}, "/headers/a b"),
        ({"headers": {"a": 5}}, "/headers/a"),
        ({"headers": []}, "/headers"),
        ({"query": {"a": "{{ a | b }}"}}, "/query/a"),
        ({"body": {"a": "{{"}}, "/body/a"),
        ({"method": "GET", "body": {}}, "/body"),
        ({"encoding": "xml"}, "/encoding"),
        ({"encoding": "form", "body": []}, "/body"),
        ({"success": []}, "/success"),
        ({"success": ["2yz"]}, "/success"),
        ({"errors": {"409": {}}}, "/errors/409"),
        ({"errors": {"409": {"code": "Not A Code"}}}, "/errors/409"),
        ({"errors": {"409": {"retryable": "no"}}}, "/errors/409"),
        ({"errors": {"boom": {"code": "x"}}}, "/errors/boom"),
        ({"connection": "crm"}, "/connection"),
        ({"connection": {"name": "crm", "as": "digest"}}, "/connection/as"),
        ({"connection": {"name": "crm", "as": "header"}}, "/connection/header"),
        ({"response": "raw"}, "/response"),
    ],
)
def test_an_http_setting_that_would_not_be_kept_is_refused(change: dict[str, Any], where: str) -> None:
    assert [problem.pointer for problem in KINDS["http"].check(HTTP | change)] == [where]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"to": ""}, "/to"),
        ({"to": [1]}, "/to"),
        ({"subject": None}, "/subject"),
        ({"text": ""}, "/text"),
        ({"text": "{{ a|b }}"}, "/text"),
        ({"bcc": "x@example.com"}, "/bcc"),
    ],
)
def test_a_mail_setting_that_would_not_be_kept_is_refused(change: dict[str, Any], where: str) -> None:
    assert where in [problem.pointer for problem in KINDS["email"].check(MAIL | change)]


def test_a_proper_mail_configuration_passes() -> None:
    assert KINDS["email"].check(MAIL) == []
    assert (
        KINDS["email"].check(MAIL | {"cc": ["a@example.com"], "html": "<p>{{ name }}</p>", "reply_to": "b@c.de"}) == []
    )


@pytest.mark.parametrize("config", [None, [], "x", {}])
@pytest.mark.parametrize("kind", list(KINDS))
def test_no_configuration_makes_the_check_itself_fail(kind: str, config: Any) -> None:
    assert KINDS[kind].check(config)


def test_what_only_workflows_call_is_not_offered_for_actions() -> None:
    assert set(CALLS) == {"http-call", "openapi-call"}
    assert set(BY_HAND) == {"http", "email"}
