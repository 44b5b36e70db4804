"""One secret through every door of a workflow, and then everywhere that somebody could look for it."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from actions import publishing, secrets
from actions.handlers import openapi_document
from actions.models import Connection
from audit import verify
from audit.models import AuditEvent
from tests.integration.actions.web import Web
from tests.support.documents import publish
from tests.support.engine import finished, start_workflow
from workflows import queries

pytestmark = pytest.mark.usefixtures("handlers")
TOKEN, PASSWORD = "canary-t0ken", 'canary-"pass/word'
# In a URL, and in base64 at each of the three offsets that the text can have there.
TRACES = ("canary", "Y2FuYXJ5", "NhbmFyeS", "jYW5hcnkt")
DOCUMENT = """
use:
  secrets: [shop, crm]
  authentications:
    by-name: {basic: {use: crm}}
    by-value: {bearer: {token: "${ $secrets.shop }"}}
"""
CALLS = """
do:
  - header:
      call: http
      with:
        method: post
        endpoint: SERVER/echo
        headers: {X-Key: "${ \\"key \\" + $secrets.shop }"}
        query: {pass: "${ $secrets.crm.password }"}
        body: {deep: ["${ $secrets.crm }"]}
        output: response
  - basic: {call: http, with: {method: get, endpoint: {uri: SERVER/echo/binary, authentication: {use: by-name}}}}
  - bearer:
      call: openapi
      with:
        document: {endpoint: SERVER/document}
        operationId: go
        parameters: {key: "${ $secrets.shop }"}
        authentication: {use: by-value}
  - python: {call: test-tell, with: {key: "${ $secrets.shop }"}}
  - transaction: {call: test-use-in-transaction, with: {key: "${ $secrets.shop }"}}
  - configured: {call: post-key, with: {key: "${ $secrets.crm.password }"}}
  - entry: {call: datastore.set, with: {key: kept, value: "${ $secrets.shop }"}}
  - refused:
      try:
        - refuse:
            call: http
            with: {method: post, endpoint: SERVER/echo/refuse, body: {key: "${ $secrets.shop }"}, headers: {X-Key: "${ $secrets.crm.password }"}}
      catch: {as: error, do: [{keep: {set: {error: "${ $error }"}, export: {as: "${ . }"}}}]}
  - fail: {call: test-tell-and-fail, with: {key: "${ $secrets.shop }"}}
"""  # noqa: E501


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    openapi_document.forget()
    yield
    openapi_document.forget()


@pytest.fixture
def shop(server: Web) -> Web:
    """A server, two secrets for it, an action that posts what it is given, and an OpenAPI document."""
    hosts = [f"127.0.0.1:{server.port}"]
    secrets.set_secret(Connection(name="shop", allowed_hosts=hosts), TOKEN, actor="test")
    parts = {"username": "ann", "password": PASSWORD}
    secrets.set_secret(Connection(name="crm", allowed_hosts=hosts), parts, actor="test")
    config = {"method": "POST", "url": server.url("/echo")}
    publishing.publish(publishing.create_draft("post-key", "http", config, actor="test"), actor="test")
    operation = {"operationId": "go", "parameters": [{"name": "key", "in": "query"}]}
    server.document = json.dumps({"openapi": "3.1.0", "paths": {"/echo": {"get": operation}}}).encode()
    return server


def run(server: Web, body: str) -> queries.RunDetail:
    publish("doors", DOCUMENT + body.replace("SERVER", server.url("")))
    return finished(start_workflow("doors", {"n": 1}))


def test_a_secret_that_went_through_every_door_is_nowhere_to_be_read(
    shop: Web, superuser: "psycopg.Connection[Any]", capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    detail = run(shop, CALLS)
    assert (detail.state, detail.reason) == ("failed", "dead_letter"), detail.error
    assert [step.name for step in detail.steps if step.state == "succeeded"] == [
        "header", "basic", "bearer", "python", "transaction", "configured", "entry",
    ]  # fmt: skip
    assert_sent(shop)
    places = {
        **tables(superuser),
        **pages(detail.id),
        "log": caplog.text,
        "output": "".join(capfd.readouterr()),
        "detail": repr(queries.run(detail.id, reveal=True)),
    }
    assert {place for place, text in places.items() for trace in TRACES if trace in text} == set()
    shown = pages(detail.id)
    assert any("«secret shop.token»" in text for text in shown.values())
    assert {url for url, text in shown.items() if "secret~shop" in text} <= {"/datastore/", "/api/v1/datastore"}
    assert "•••" in places["detail"]


def test_each_use_of_a_secret_is_in_the_audit_trail_of_the_run(shop: Web) -> None:
    detail = run(shop, CALLS)
    uses = [
        (json.loads(event.data)["step"].rpartition("/")[2], json.loads(event.data)["name"])
        for event in AuditEvent.objects.filter(run=detail.id, kind="connection.used").order_by("id")
    ]
    assert set(uses) == {
        ("header", "shop"), ("header", "crm"), ("basic", "crm"), ("bearer", "shop"), ("python", "shop"),
        ("transaction", "shop"), ("configured", "crm"), ("refuse", "shop"), ("refuse", "crm"), ("fail", "shop"),
    }  # fmt: skip
    fails = [use for use in uses if use == ("fail", "shop")]
    assert len(fails) == 1
    assert verify.verify().broken == []
    sentences = [event.sentence for event in queries.audit(detail.id)]
    assert f"The secret of shop was given to /do/0/header for 127.0.0.1:{shop.port}" in sentences


@pytest.mark.parametrize("how", ["fail", "late"])
def test_a_use_in_a_transaction_that_is_undone_stays_recorded(shop: Web, how: str) -> None:
    body = f'do:\n  - lose: {{call: test-use-in-transaction, with: {{key: "${{ $secrets.shop }}", {how}: true}}}}\n'
    detail = run(shop, body)
    assert detail.state == "failed"
    attempts = len(detail.steps[0].attempts)
    assert AuditEvent.objects.filter(run=detail.id, kind="connection.used").count() == attempts


def test_a_secret_that_is_gone_is_an_authorization_error_that_can_be_caught(shop: Web) -> None:
    publish("gone", DOCUMENT + """
do:
  - try-it:
      try: [{call-it: {call: test-tell, with: {key: "${ $secrets.shop }"}}}]
      catch: {do: [{told: {set: {type: "${ $error.type }", status: "${ $error.status }", why: "${ $error.detail }"}}}]}
""")  # fmt: skip
    Connection.objects.filter(name="shop").delete()
    output = finished(start_workflow("gone", {})).output
    assert output["type"].endswith("/authorization")
    assert output["status"] == 403
    assert "there is no connection 'shop'" in output["why"]


def test_a_secret_for_another_host_is_an_authorization_error(shop: Web) -> None:
    Connection.objects.update(allowed_hosts=["api.example.com"])
    detail = run(
        shop,
        'do:\n  - go: {call: http, with: {method: get, endpoint: SERVER/echo, headers: {X: "${ $secrets.shop }"}}}\n',
    )
    assert detail.state == "failed"
    assert (detail.error["type"].rpartition("/")[2], detail.error["status"]) == ("authorization", 403)
    assert shop.requests == []


def test_a_mark_that_was_read_somewhere_opens_nothing_elsewhere(shop: Web) -> None:
    first = run(shop, 'do:\n  - keep: {call: datastore.set, with: {key: mark, value: "${ $secrets.shop }"}}\n')
    assert first.state == "succeeded", first.error
    publish("thief", f"""
do:
  - read: {{call: datastore.get, with: {{key: mark}}}}
  - send: {{call: http, with: {{method: post, endpoint: "{shop.url("/echo")}", body: "${{ . }}"}}}}
""")  # fmt: skip
    assert finished(start_workflow("thief", {})).state == "succeeded"
    assert TOKEN.encode() not in shop.requests[-1].body
    assert b"secret~shop~token~" in shop.requests[-1].body


def assert_sent(server: Web) -> None:
    """Check that the other side did get the secrets, so that the search means something."""
    header, basic, _, bearer, configured, *_ = server.requests
    assert header.headers["x-key"] == f"key {TOKEN}"
    assert header.path == "/echo?pass=canary-%22pass%2Fword"
    assert json.loads(header.body) == {"deep": [{"username": "ann", "password": PASSWORD}]}
    assert basic.headers["authorization"].startswith("Basic YW5uOmNhbmFyeS0")
    assert (bearer.path, bearer.headers["authorization"]) == (f"/echo?key={TOKEN}", f"Bearer {TOKEN}")
    assert json.loads(configured.body) == {"key": PASSWORD}


def tables(superuser: "psycopg.Connection[Any]") -> dict[str, str]:
    """Return every row of every table as text."""
    names = [row[0] for row in superuser.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {name: "\n".join(row[0] for row in superuser.execute(f'SELECT t::text FROM "{name}" t')) for name in names}


def pages(run_id: UUID) -> dict[str, str]:
    """Return what people and programs get to see of a run and of the connections, as somebody who may see all."""
    client = Client(headers={"host": "localhost"})
    root, _ = User.objects.get_or_create(username="root", is_staff=True, is_superuser=True)
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    here, api = f"/runs/{run_id}/", f"/api/v1/runs/{run_id}"
    steps = client.get(f"{api}/steps").json()["items"]
    urls = [
        *(f"{here}?view={view}" for view in ("timeline", "io", "logs", "audit")),
        *(f"{here}?view={view}&step={step['key']}" for step in steps for view in ("timeline", "io")),
        *(f"{here}raw/{part}/" for part in ("input", "output", "error", "context")),
        *(f"{api}/steps/{step['id']}" for step in steps),
        *(api, f"{api}/steps", f"{api}/audit", "/api/v1/datastore", "/", "/runs/", "/datastore/"),
        *(reverse(f"admin:{name}_changelist") for name in ("actions_connection", "audit_auditevent", "workflows_run")),
        reverse("admin:actions_connection_change", args=[Connection.objects.get(name="shop").pk]),
    ]
    found = {}
    for url in urls:
        response = client.get(url)
        assert response.status_code in (200, 404), url
        found[url] = response.content.decode()
    return found
