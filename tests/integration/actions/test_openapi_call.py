"""`call: openapi` as a handler: the document is fetched from a real server, the operation called there."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from actions.handlers import openapi_document
from tests.integration.actions.test_http_call import failed, run
from tests.integration.actions.web import Web

PATHS = {
    "/pet/findByStatus": {
        "get": {
            "operationId": "findPetsByStatus",
            "parameters": [{"name": "status", "in": "query", "required": True, "collectionFormat": "multi"}],
        }
    },
    "/pet/{petId}": {
        "get": {"operationId": "getPetById", "parameters": [{"name": "petId", "in": "path", "required": True}]}
    },
    "/pet": {"post": {"operationId": "addPet", "parameters": [{"name": "body", "in": "body", "required": True}]}},
}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    openapi_document.forget()
    yield
    openapi_document.forget()


@pytest.fixture
def petstore(server: Web) -> Web:
    document = {"swagger": "2.0", "host": f"127.0.0.1:{server.port}", "basePath": "/v2", "schemes": ["http"]}
    server.document = json.dumps({**document, "paths": PATHS}).encode()
    return server


def call(server: Web, operation: str, **more: Any) -> Any:
    return run({"document": {"endpoint": server.url("/document")}, "operationId": operation, **more}, "openapi-call")


def test_an_operation_is_called_where_the_document_says(petstore: Web) -> None:
    outcome = call(petstore, "findPetsByStatus", parameters={"status": ["available", "sold"]}, output="response")
    assert outcome.output["content"] == {"path": "/v2/pet/findByStatus?status=available&status=sold", "ok": True}
    assert outcome.output["request"]["uri"] == petstore.url("/v2/pet/findByStatus?status=available&status=sold")
    assert call(petstore, "getPetById", parameters={"petId": 1}).output["path"] == "/v2/pet/1"
    assert call(petstore, "addPet", parameters={"body": {"name": "Rex"}}).ok
    assert (petstore.requests[-1].body, petstore.requests[-1].headers["idempotency-key"]) == (
        b'{"name": "Rex"}', "run:step",
    )  # fmt: skip


def test_the_document_is_fetched_once_a_minute_and_again_after_that(
    petstore: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert call(petstore, "getPetById", parameters={"petId": 1}).ok
    assert [request.path for request in petstore.requests].count("/document") == 1
    monkeypatch.setattr(openapi_document, "FRESH_SECONDS", -1.0)
    openapi_document.forget()
    for _ in range(2):
        call(petstore, "getPetById", parameters={"petId": 1})
    assert [request.path for request in petstore.requests].count("/document") == 3


def test_openapi_3_in_yaml_with_a_server_of_its_own(server: Web) -> None:
    server.document = b"""
openapi: 3.0.3
servers: [{url: /api}]
paths:
  /pets/{id}:
    parameters: [{$ref: '#/components/parameters/Id'}]
    put:
      operationId: update
      requestBody: {content: {application/json: {}}}
components: {parameters: {Id: {name: id, in: path, required: true, schema: {type: integer}}}}
"""
    assert call(server, "update", parameters={"id": 7, "name": "Rex"}).output["path"] == "/api/pets/7"
    assert server.requests[-1].body == b'{"name": "Rex"}'


def test_what_is_wrong_is_said_with_what_is_near(petstore: Web) -> None:
    outcome = call(petstore, "findPetByStatus")
    assert failed(outcome) == ("unknown_operation", None)
    assert "did you mean 'findPetsByStatus'?" in outcome.failure.message
    assert failed(call(petstore, "findPetsByStatus")) == ("invalid_input", None)
    assert failed(call(petstore, "findPetsByStatus", parameters={"status": "a", "statu": "b"})) == (
        "invalid_input", None,
    )  # fmt: skip
    assert failed(call(petstore, "getPetById", document={"endpoint": petstore.url("/status/404")})) == ("http_404", 404)
    assert failed(call(petstore, "getPetById", document={"endpoint": petstore.url("/text")}))[0] == "invalid_document"
    assert failed(call(petstore, "getPetById", document={"endpoint": petstore.url("/large")}))[1] == 500


def test_a_document_cannot_lead_to_a_place_that_is_not_allowed(petstore: Web) -> None:
    petstore.document = petstore.document.replace(f"127.0.0.1:{petstore.port}".encode(), b"169.254.169.254")
    assert failed(call(petstore, "getPetById", parameters={"petId": 1})) == ("blocked_address", 500)


def test_authentication_goes_to_the_operation_and_to_the_document_only_if_it_says_so(petstore: Web) -> None:
    authentication = {"bearer": {"token": "tok-123"}}
    assert call(petstore, "getPetById", parameters={"petId": 1}, authentication=authentication).ok
    assert [request.headers.get("authorization") for request in petstore.requests] == [None, "Bearer tok-123"]
    document = {"endpoint": {"uri": petstore.url("/document"), "authentication": {"bearer": {"token": "doc-456"}}}}
    assert call(petstore, "getPetById", parameters={"petId": 1}, document=document).ok
    assert [request.headers.get("authorization") for request in petstore.requests[2:]] == ["Bearer doc-456", None]
