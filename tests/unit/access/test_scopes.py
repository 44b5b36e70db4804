"""A scope means what it says and nothing near it."""

import pytest

from dotdo_site.access import scopes


@pytest.mark.parametrize(
    ("held", "needed"),
    [
        ("read", "read"),
        ("start:workflow:*", "start:workflow:customer-onboarding"),
        ("start:action:send-*", "start:action:send-welcome-email"),
        ("start:action:charge-card", "start:action:charge-card"),
        ("datastore:write", "datastore:write"),
    ],
)
def test_a_scope_covers_what_it_names(held: str, needed: str) -> None:
    assert scopes.covers([held], needed)


@pytest.mark.parametrize(
    ("held", "needed"),
    [
        ("read", "retry"),
        ("datastore:write", "datastore:read"),
        ("start:action:*", "start:workflow:customer-onboarding"),
        ("start:action:send-*", "start:action:resend-mail"),
        ("start:action:charge-card", "start:action:charge-card-twice"),
        ("*", "read"),
        ("start:*", "start:action:charge-card"),
        ("start:action:[a-z]*", "start:action:charge-card"),
        ("start:action:????", "start:action:mail"),
    ],
)
def test_a_scope_covers_nothing_else(held: str, needed: str) -> None:
    assert not scopes.covers([held], needed)


@pytest.mark.parametrize(
    "scope", ["", "*", "all", "read ", "Read", "start", "start:action", "start:action:", "start:action:A", "start:x:*",
              "start:action:<pattern>", "start:action:[a]", "start:action:" + "a" * 64, "read\n"]
)  # fmt: skip
def test_an_unknown_scope_is_refused_when_the_key_is_made(scope: str) -> None:
    with pytest.raises(scopes.UnknownScope):
        scopes.check([scope])


def test_a_key_without_any_scope_is_refused() -> None:
    with pytest.raises(scopes.UnknownScope, match="at least one"):
        scopes.check([])


def test_scopes_are_sorted_and_kept_once() -> None:
    assert scopes.check(["retry", "read", "read"]) == ["read", "retry"]
