"""Callers of the API: keys and signed-in people in every role. Tests choose `db` (quick) or `handlers` (commits)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from dotdo_site.access import keys
from dotdo_site.access.scopes import SCOPES

EVERY_SCOPE = [scope.replace("<pattern>", "*") for scope in SCOPES]


class Caller:
    """Calls the API and reads its answers; every error must be a problem document."""

    def __init__(self, **headers: str) -> None:
        self.client = Client(headers=headers)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a JSON body (bytes are sent as they are) and return the response."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        address = path if path.startswith("/api/") else f"/api/v1/{path}"
        response = self.client.generic(method, address, raw, content_type="application/json", headers=named)
        if response.status_code >= 400:
            check_problem(response)
        return response


def check_problem(response: Any) -> None:
    """Assert that an error is a problem document."""
    assert response["Content-Type"] == "application/problem+json", response.content
    document = response.json()
    assert document["status"] == response.status_code
    assert {"type", "title", "detail", "instance"} <= document.keys()
    assert response.status_code < 500, document


def person(role: str | None) -> User:
    """Return the user who has just this role."""
    user, _ = User.objects.get_or_create(username=(role or "nobody").lower())
    user.groups.set(Group.objects.filter(name=role))
    return user


@pytest.fixture
def with_key() -> Callable[..., Caller]:
    """Make callers with a key of some scopes, owned by somebody in a role."""

    def make(*scopes: str, role: str = "Admin") -> Caller:
        _, plaintext = keys.issue("test", person(role), list(scopes or EVERY_SCOPE), actor="cli:test")
        return Caller(authorization=f"Bearer {plaintext}")

    return make


@pytest.fixture
def signed_in() -> Callable[[str | None], Caller]:
    """Make callers who are signed in in the browser, in a role."""

    def make(role: str | None) -> Caller:
        caller = Caller()
        caller.client.force_login(person(role), backend="django.contrib.auth.backends.ModelBackend")
        return caller

    return make


@pytest.fixture
def api(with_key: Callable[..., Caller]) -> Caller:
    """Call with a key that may do everything."""
    return with_key()
