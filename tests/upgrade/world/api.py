"""The HTTP API of the checkout that this process runs, without a web server in between."""

import json
import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dotdo_site.settings")
django.setup()

from django.core.management import call_command  # noqa: E402 - settings come first
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

SCOPES = (
    "read",
    "start:workflow:*",
    "retry",
    "cancel",
    "suspend",
    "fire-timer",
    "undo",
    "answer",
    "events:send",
    "datastore:read",
    "definitions:write",
    "definitions:publish",
)


class Api:
    """A client with an API key that may do everything."""

    def __init__(self, key: str) -> None:
        self.client = Client(SERVER_NAME="localhost", headers={"authorization": f"Bearer {key}"})

    def get(self, path: str) -> Any:
        """Read something that must be there."""
        answer = self.client.get(f"/api/v1{path}")
        assert answer.status_code == 200, (path, answer.content)
        return answer.json()

    def post(self, path: str, body: Any = None, *, expect: tuple[int, ...] = (200, 201), **headers: Any) -> Any:
        """Post JSON and return the answer, which has one of the expected states."""
        text = json.dumps({} if body is None else body)
        answer = self.client.post(f"/api/v1{path}", text, content_type="application/json", headers=headers)
        assert answer.status_code in expect, (path, body, answer.status_code, answer.content)
        return answer.json()

    def start(self, workflow: str, body: Any, key: str, *, expect: tuple[int, ...] = (201,)) -> Any:
        """Start a run under an idempotency key."""
        return self.post(f"/workflows/{workflow}/runs", body, expect=expect, **{"Idempotency-Key": key})

    def publish(self, document: dict[str, Any]) -> None:
        """Save a workflow and publish it."""
        about = document["document"]
        self.post("/workflows", {"source": json.dumps(document)})
        self.post(f"/workflows/{about['name']}/versions/{about['version']}/publication", {"reason": "the world began"})


def new_key() -> str:
    """Issue an API key as the command line does."""
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        call_command("login")
    out = StringIO()
    call_command(
        "api_key", "create", "world", *(part for scope in SCOPES for part in ("--scope", scope)),
        stdout=out, stderr=StringIO(),
    )  # fmt: skip
    return out.getvalue().strip()


def rows(query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask the database of the world."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
