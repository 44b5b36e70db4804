"""When the database is away the API says so, says when to come back, and works again afterwards."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import close_old_connections, connection

from dotdo_site import live_connections
from tests.integration.api.conftest import Caller, check_problem

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point new connections at a port where nothing listens."""
    here = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(HOST="127.0.0.1", PORT="1")
    yield
    connection.close()
    connection.settings_dict.update(here)


def _is_503(response: object) -> None:
    assert getattr(response, "status_code", None) == 503
    assert response["Retry-After"] == "5"  # type: ignore[index]
    assert response.json()["type"] == "/problems/database-away"  # type: ignore[attr-defined]


def test_every_request_is_a_503_with_retry_after(api: Caller, away: None) -> None:
    for method, path in (("GET", "runs"), ("POST", "actions/test-echo/runs"), ("GET", "datastore/a/b")):
        response = api.client.generic(method, f"/api/v1/{path}", b"{}", content_type="application/json")
        _is_503(response)


def test_a_connection_that_died_between_requests_is_replaced(
    api: Caller, superuser: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    assert api("GET", "runs").status_code == 200
    superuser.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = 'dotdo' AND pid <> pg_backend_pid()"
    )
    close_old_connections()  # what the web server does before each request, and the test client does not
    assert api("GET", "runs").status_code == 200


def test_nothing_is_said_about_the_database_to_the_caller(api: Caller, away: None) -> None:
    text = api.client.get("/api/v1/runs").content.decode()
    assert "127.0.0.1" not in text
    assert "port" not in text


def test_it_works_again_afterwards(api: Caller) -> None:
    response = api("POST", "actions/test-echo/runs", {})
    assert response.status_code == 201
    with pytest.raises(AssertionError):
        check_problem(response)


def test_a_request_right_after_another_does_not_ask_whether_the_connection_lives(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[None] = []

    def is_usable() -> bool:
        asked.append(None)
        return True

    monkeypatch.setattr(connection, "is_usable", is_usable)

    def questions() -> int:
        asked.clear()
        close_old_connections()  # what the web server does before each request, and the test client does not
        assert api("GET", "runs").status_code == 200
        return len(asked)

    questions()
    assert questions() == 0
    monkeypatch.setattr(live_connections, "MOMENT_SECONDS", 0)
    assert questions() == 1
