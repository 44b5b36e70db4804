"""Every address, method and role, with a session and with a key: a new address without an entry here fails."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.integration.api.conftest import EVERY_SCOPE, Caller, check_problem

pytestmark = pytest.mark.usefixtures("db")
READERS = {"Viewer", "Operator", "Editor", "Admin", "Auditor"}
OPERATORS = {"Operator", "Editor", "Admin"}
EDITORS = {"Editor", "Admin"}
ADMINS = {"Admin"}
ROLES = [*sorted(READERS), None]
RUN, STEP = str(uuid4()), str(uuid4())

# name of the address: its arguments, and for each method who may call it and with which scope
MATRIX: dict[str, tuple[list[str], dict[str, tuple[set[str], str]]]] = {
    "api-runs": ([], {"GET": (READERS, "read")}),
    "api-run": ([RUN], {"GET": (READERS, "read")}),
    "api-steps": ([RUN], {"GET": (READERS, "read")}),
    "api-step": ([RUN, STEP], {"GET": (READERS, "read")}),
    "api-run-audit": ([RUN], {"GET": ({*OPERATORS, "Auditor"}, "audit:read")}),
    "api-retries": ([RUN], {"POST": (OPERATORS, "retry")}),
    "api-cancellation": ([RUN], {"POST": (OPERATORS, "cancel")}),
    "api-erasure": ([RUN], {"POST": (ADMINS, "erase")}),
    "api-action-retention": (["charge-card"], {"PUT": (ADMINS, "erase")}),
    "api-workflow-retention": (["onboarding"], {"PUT": (ADMINS, "erase")}),
    "api-suspension": ([RUN], {"POST": (OPERATORS, "suspend")}),
    "api-resumption": ([RUN], {"POST": (OPERATORS, "suspend")}),
    "api-resolution": ([RUN], {"POST": (OPERATORS, "retry")}),
    "api-undo": ([RUN], {"POST": (OPERATORS, "undo")}),
    "api-skips": ([RUN], {"POST": (OPERATORS, "skip")}),
    "api-firings": ([RUN], {"POST": (OPERATORS, "fire-timer")}),
    "api-answers": ([RUN], {"POST": (OPERATORS, "answer")}),
    "api-approvals": ([], {"GET": (OPERATORS, "answer")}),
    "api-events": (
        [],
        {"GET": ({*OPERATORS, "Auditor"}, "events:read"), "POST": (OPERATORS, "events:send")},
    ),
    "api-event": ([RUN], {"GET": ({*OPERATORS, "Auditor"}, "events:read")}),
    "api-actions": ([], {"GET": (READERS, "read"), "POST": (EDITORS, "definitions:write")}),
    "api-action": (["charge-card"], {"GET": (READERS, "read")}),
    "api-action-runs": (["charge-card"], {"POST": (OPERATORS, "start:action:*")}),
    "api-action-run-batch": (["charge-card"], {"POST": (OPERATORS, "start:action:*")}),
    "api-action-publication": (["charge-card", "1.0.0"], {"POST": (EDITORS, "definitions:publish")}),
    "api-workflows": ([], {"GET": (READERS, "read"), "POST": (EDITORS, "definitions:write")}),
    "api-workflow-validation": ([], {"POST": (EDITORS, "definitions:write")}),
    "api-workflow": (["onboarding"], {"GET": (READERS, "read")}),
    "api-workflow-runs": (["onboarding"], {"POST": (OPERATORS, "start:workflow:*")}),
    "api-workflow-run-batch": (["onboarding"], {"POST": (OPERATORS, "start:workflow:*")}),
    "api-workflow-publication": (["onboarding", "1.0.0"], {"POST": (EDITORS, "definitions:publish")}),
    "api-schedules": ([], {"GET": (READERS, "read")}),
    "api-schedule": (["onboarding"], {"GET": (READERS, "read")}),
    "api-schedule-pause": (["onboarding"], {"POST": (OPERATORS, "schedules:write")}),
    "api-schedule-resumption": (["onboarding"], {"POST": (OPERATORS, "schedules:write")}),
    "api-notifications": ([], {"GET": (OPERATORS, "notifications:read")}),
    "api-notification-retries": ([RUN], {"POST": (OPERATORS, "notifications:write")}),
    "api-mutes": ([], {"GET": (OPERATORS, "notifications:read"), "POST": (OPERATORS, "notifications:write")}),
    "api-mute-end": ([RUN], {"POST": (OPERATORS, "notifications:write")}),
    "api-audit-export": ([], {"GET": ({"Admin", "Auditor"}, "audit:export")}),
    "api-entries": ([], {"GET": (READERS, "datastore:read")}),
    "api-entry": (
        ["default", "usr_1"],
        {"GET": (READERS, "datastore:read"), "PUT": (OPERATORS, "datastore:write")},
    ),
}
PUBLIC = {"api-schema", "api-docs", "api-missing"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CALLS = [(name, method) for name, (_, methods) in MATRIX.items() for method in methods]


def _names(patterns: list[URLPattern | URLResolver], inside: str = "") -> Iterator[str]:
    for pattern in patterns:
        path = inside + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _names(pattern.url_patterns, path)
        elif path.startswith("api/"):
            yield pattern.name or path


def _path(name: str) -> str:
    return reverse(name, args=MATRIX[name][0])


def test_every_address_of_the_api_has_an_entry() -> None:
    assert set(_names(get_resolver().url_patterns)) == set(MATRIX) | PUBLIC


@pytest.mark.parametrize(("name", "method"), CALLS)
def test_nobody_gets_in_without_saying_who_they_are(name: str, method: str) -> None:
    response = Caller()(method, _path(name))
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="dotdo"'


@pytest.mark.parametrize(("name", "method"), CALLS)
def test_exactly_the_roles_of_the_matrix_are_let_in(
    signed_in: Callable[[str | None], Caller], name: str, method: str
) -> None:
    allowed = MATRIX[name][1][method][0]
    for role in ROLES:
        status = signed_in(role)(method, _path(name)).status_code
        assert (status != 403) == (role in allowed), f"{role} {method} {name}: {status}"
        assert status != 401


@pytest.mark.parametrize(("name", "method"), CALLS)
def test_a_key_needs_the_scope_as_well_as_its_owners_permission(
    with_key: Callable[..., Caller], name: str, method: str
) -> None:
    allowed, scope = MATRIX[name][1][method]
    others = [other for other in EVERY_SCOPE if other != scope]
    assert with_key(scope)(method, _path(name)).status_code != 403
    refused = with_key(*others)(method, _path(name))
    assert refused.status_code == 403
    assert "scope" in refused.json()["detail"]
    for role in READERS - allowed:
        powerless = with_key(*EVERY_SCOPE, role=role)(method, _path(name))
        assert powerless.status_code == 403
        assert "owner" in powerless.json()["detail"]


@pytest.mark.parametrize("name", MATRIX)
def test_other_methods_are_refused_with_a_list_of_the_right_ones(api: Caller, name: str) -> None:
    for method in set(METHODS) - set(MATRIX[name][1]):
        response = api(method, _path(name))
        assert response.status_code == 405
        assert response["Allow"].replace("OPTIONS", "").replace(",", " ").split() == list(MATRIX[name][1])


@pytest.mark.parametrize(("name", "method"), [call for call in CALLS if call[1] != "GET"])
def test_a_session_cannot_change_anything_without_the_csrf_token(
    signed_in: Callable[[str | None], Caller], name: str, method: str
) -> None:
    caller = signed_in("Admin")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = caller.client.cookies
    response = strict.generic(method, _path(name), b"{}", content_type="application/json")
    assert response.status_code == 403
    check_problem(response)
