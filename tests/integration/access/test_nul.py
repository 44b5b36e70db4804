"""PostgreSQL takes no NUL in a text: an address that holds one must be answered like any other that names nothing."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from dotdo_site.access import keys
from dotdo_site.access.scopes import SCOPES
from tests.support.pages import person
from tests.support.webhooks import endpoint
from workflows.models import Delivery

pytestmark = pytest.mark.usefixtures("database")
NUL = ["%00", "a%00b"]
ID = "0196d0a0-0000-7000-8000-000000000000"
PLACE = re.compile(r"<(?:(\w+):)?(\w+)>")
QUERY = [
    "q", "status", "name", "kind", "tag", "since", "until", "parent", "type", "run", "cursor", "before", "after",
    "limit", "namespace", "prefix", "key", "step", "attempt", "view", "fold", "from", "v", "top", "h", "state", "once",
    "next", "p", "o", "e", "_popup",
]  # fmt: skip


def patterns(resolver: Any = None, before: str = "") -> Iterator[str]:
    """Yield every address that is served, with its places."""
    for each in (resolver or get_resolver()).url_patterns:
        if isinstance(each, URLResolver):
            yield from patterns(each, before + str(each.pattern))
        elif isinstance(each, URLPattern):
            yield before + str(each.pattern)


def filled(pattern: str, nul: str) -> str:
    """Put the text into the places that take one, and an id into the others."""
    if "(?P<" in pattern:
        pattern = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<str:\1>", pattern).strip("^$")
    return "/" + PLACE.sub(lambda found: nul if found[1] in {None, "str", "path"} else ID, pattern).strip("^$")


@pytest.fixture
def callers() -> list[Client]:
    """Return a stranger, somebody signed in who may do everything, and a program with every key."""
    admin = Client(headers={"host": "localhost"}, raise_request_exception=False)
    somebody = person("Admin", staff=True)
    somebody.is_superuser = True
    somebody.save(update_fields=["is_superuser"])
    admin.force_login(somebody)
    scopes = [scope.replace("<pattern>", "*") for scope in SCOPES]
    _, key = keys.issue("nul", somebody, scopes, actor="cli:test")
    program = Client(headers={"host": "localhost", "authorization": f"Bearer {key}"}, raise_request_exception=False)
    return [Client(headers={"host": "localhost"}, raise_request_exception=False), admin, program]


@pytest.mark.parametrize("nul", NUL)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_nul_in_a_path_is_never_an_error_of_the_server(callers: list[Client], nul: str, method: str) -> None:
    broken = [
        (path, answer.status_code)
        for path in sorted({filled(pattern, nul) for pattern in patterns()})
        if nul in path
        for client in callers
        if (answer := client.generic(method, path, b"{}", content_type="application/json")).status_code >= 500
    ]
    assert not broken


def test_a_nul_in_a_query_is_never_an_error_of_the_server(callers: list[Client]) -> None:
    broken = [
        (path, name, answer.status_code)
        for path in sorted({filled(pattern, "default") for pattern in patterns()})
        for client in [callers[2 if path.startswith("/api/") else 1]]
        if client.get(path).status_code == 200
        for name in QUERY
        if (answer := client.get(f"{path}?{name}=a%00b")).status_code >= 500
    ]
    assert not broken


@pytest.mark.parametrize("nul", NUL)
def test_an_endpoint_with_a_nul_in_its_name_is_as_unknown_as_any_other(callers: list[Client], nul: str) -> None:
    endpoint()
    stranger = callers[0]
    odd, unknown = (
        stranger.post(f"/hooks/e/{name}", "{}", content_type="application/json") for name in (nul, "nobody")
    )
    assert (odd.status_code, unknown.status_code) == (401, 401)
    assert odd.json() | {"instance": ""} == unknown.json() | {"instance": ""}
    assert not Delivery.objects.exists()
