"""`call: http` and `call: openapi` in workflows, through real workers, against a real server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from actions.handlers import openapi_document
from tests.integration.actions.web import Web
from tests.support.documents import publish
from tests.support.engine import finished, start_workflow
from workflows import operations, queries

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    openapi_document.forget()
    yield
    openapi_document.forget()


def run(server: Web, body: str, value: Any = None) -> queries.RunDetail:
    publish("caller", body.replace("SERVER", server.url("")))
    return finished(start_workflow("caller", {} if value is None else value))


def kind_of(error: Any) -> tuple[str, int]:
    return error["type"].rpartition("/")[2], error["status"]


def test_a_template_is_filled_from_the_input_of_the_task(server: Web) -> None:
    detail = run(server, """
do:
  - get:
      input: {from: "${ {id: .order.id, q: .q} }"}
      call: http
      with: {method: get, endpoint: "SERVER/orders/{id}?q={q}&none={none}"}
      output: {as: .path}
""", {"order": {"id": "A/7"}, "q": "x y"})  # fmt: skip
    assert (detail.state, detail.output) == ("succeeded", "/orders/A%2F7?q=x%20y&none=")


def test_a_failed_call_is_an_error_that_says_where_and_what(server: Web) -> None:
    detail = run(server, """
do:
  - try-it:
      try: [{get: {call: http, with: {method: get, endpoint: SERVER/status/404}}}]
      catch: {errors: {with: {type: communication-error, status: 404}}, as: problem, do: [{no: {set: {never: true}}}]}
""".replace("communication-error", "https://serverlessworkflow.io/spec/1.0.0/errors/communication"))  # fmt: skip
    assert detail.output == {"never": True}
    publish("plain", f"do:\n  - get: {{call: http, with: {{method: get, endpoint: {server.url('/status/404')}}}}}\n")
    failed = finished(start_workflow("plain", {}))
    assert (failed.state, kind_of(failed.error)) == ("failed", ("communication", 404))
    assert failed.error["instance"] == "/do/0/get"
    assert failed.error["detail"].endswith("answered 404 Not Found: because")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("{method: get, endpoint: SERVER/broken}", ("communication", 500)),
        ("{method: get, endpoint: 'http://169.254.169.254/latest'}", ("communication", 500)),
        ("{method: get, endpoint: '${ .nothing }'}", ("validation", 400)),
        ("{method: get, endpoint: 'SERVER/{list}'}", ("expression", 400)),
        ("{method: get, endpoint: SERVER/, headers: {a: '${ .list }', b: '${ {c: 1} }'}}", ("validation", 400)),
    ],
)
def test_every_way_to_fail_has_its_type_and_status(server: Web, call: str, expected: tuple[str, int]) -> None:
    detail = run(server, f"do:\n  - get: {{call: http, with: {call}}}\n", {"list": [1]})
    assert detail.state == "failed"
    assert kind_of(detail.error) == expected, detail.error


def test_a_server_that_is_down_is_a_failure_to_communicate(server: Web, settings: Settings) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.1:9"]
    publish("down", "do:\n  - get: {call: http, with: {method: get, endpoint: 'http://127.0.0.1:9/'}}\n")
    assert kind_of(finished(start_workflow("down", {})).error) == ("communication", 500)


def test_all_tries_of_one_effect_have_one_key_and_the_next_effect_another(server: Web) -> None:
    detail = run(server, """
do:
  - try-it:
      try:
        - pay: {call: http, with: {method: post, endpoint: SERVER/status/503, body: {amount: 1}}}
      catch: {retry: {delay: {milliseconds: 20}, limit: {attempt: {count: 2}}}, do: [{lost: {set: {ok: false}}}]}
  - notify: {call: http, with: {method: post, endpoint: SERVER/}}
  - look: {call: http, with: {method: get, endpoint: SERVER/}}
""")  # fmt: skip
    assert detail.state == "succeeded", detail.error
    keys = [request.headers.get("idempotency-key") for request in server.requests]
    assert len(keys) == 5
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert None not in keys[:4]
    assert keys[4] is None


def test_a_parked_call_can_be_retried_by_a_person(server: Web, settings: Settings) -> None:
    settings.OUTGOING_ALLOW = []
    detail = run(server, "do:\n  - get: {call: http, with: {method: get, endpoint: SERVER/}, output: {as: .ok}}\n")
    assert (detail.state, detail.reason) == ("failed", "dead_letter")
    settings.OUTGOING_ALLOW = [f"127.0.0.1:{server.port}"]
    operations.retry(detail.id, actor="user:test", reason="allowed now")
    assert finished(detail.id).output is True


def test_a_function_of_the_document_is_a_call_with_the_callers_arguments_over_its_own(server: Web) -> None:
    detail = run(server, """
use:
  functions:
    post: {call: http, with: {method: post, endpoint: SERVER/echo, headers: {X-A: own}, body: {own: 1}}}
do:
  - go: {call: post, with: {body: {caller: 2}}, output: {as: "{body: (.body | fromjson), a: .headers[\\"x-a\\"]}"}}
""")  # fmt: skip
    assert detail.output == {"body": {"caller": 2}, "a": "own"}


def test_an_operation_is_called_with_parameters_from_expressions(server: Web) -> None:
    paths = {"/pets/{id}": {"put": {"operationId": "name-it", "requestBody": {}, "parameters": [
        {"name": "id", "in": "path", "required": True}]}}}  # fmt: skip
    server.document = json.dumps({"openapi": "3.0.0", "servers": [{"url": "/echo"}], "paths": paths}).encode()
    detail = run(server, """
do:
  - name:
      call: openapi
      with:
        document: {endpoint: SERVER/document}
        operationId: name-it
        parameters: {id: "${ .id }", name: "${ .name }"}
      output: {as: "[.path, (.body | fromjson)]"}
""", {"id": 7, "name": "Rex"})  # fmt: skip
    assert detail.output == ["/echo/pets/7", {"name": "Rex"}]


def test_a_wrong_operation_is_a_configuration_error(server: Web) -> None:
    server.document = json.dumps({"openapi": "3.0.0", "paths": {"/a": {"get": {"operationId": "getPet"}}}}).encode()
    detail = run(
        server,
        "do:\n  - a: {call: openapi, with: {document: {endpoint: SERVER/document}, operationId: getPets}}\n",
    )
    assert kind_of(detail.error) == ("configuration", 400)
    assert "did you mean 'getPet'?" in detail.error["detail"]
