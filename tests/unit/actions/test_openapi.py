"""What an OpenAPI document makes of parameters; no server is asked."""

import json
from typing import Any

import pytest

from actions import ActionError
from actions.handlers import openapi_document
from actions.handlers.calling import FORM, JSON, Request
from actions.handlers.openapi_call import request_of

URL = "https://docs.example/v1/openapi.json"
PATH_ID = {"name": "id", "in": "path", "required": True}


def document(*parameters: Any, two: bool = False, path: str = "/x", **operation: Any) -> dict[str, Any]:
    head = {"swagger": "2.0", "host": "api.example", "basePath": "/v2"} if two else {"openapi": "3.0.3"}
    return {**head, "paths": {path: {"post": {"operationId": "go", "parameters": list(parameters), **operation}}}}


def request(source: dict[str, Any], **values: Any) -> Request:
    return request_of(openapi_document.find(source, URL, "go"), values)


def refusal(source: dict[str, Any], **values: Any) -> str:
    with pytest.raises(ActionError) as error:
        request(source, **values)
    return f"{error.value.code}: {error.value.message}"


@pytest.mark.parametrize(
    ("head", "base"),
    [
        ({"swagger": "2.0", "host": "a.b", "basePath": "/v2", "schemes": ["http", "https"]}, "https://a.b/v2"),
        ({"swagger": "2.0", "host": "a.b", "schemes": ["http"]}, "http://a.b"),
        ({"swagger": "2.0", "basePath": "/"}, "https://docs.example"),
        ({"openapi": "3.1.0"}, "https://docs.example"),
        ({"openapi": "3.0.0", "servers": [{"url": "https://a.b/v3/"}, {"url": "https://c.d"}]}, "https://a.b/v3"),
        ({"openapi": "3.0.0", "servers": [{"url": "/v3"}]}, "https://docs.example/v3"),
        ({"openapi": "3.0.0", "servers": [{"url": "../v3"}]}, "https://docs.example/v3"),
        (
            {"openapi": "3.0.0", "servers": [{"url": "https://{r}.a.b", "variables": {"r": {"default": "eu"}}}]},
            "https://eu.a.b",
        ),
    ],
)
def test_the_document_says_where_the_operation_is(head: dict[str, Any], base: str) -> None:
    paths = {"paths": {"/pets": {"get": {"operationId": "go"}}}}
    assert openapi_document.find({**head, **paths}, URL, "go").base == base


def test_the_servers_of_an_operation_come_before_those_of_its_path_and_of_the_document() -> None:
    source = document(servers=[{"url": "https://own.example"}])
    source["servers"] = [{"url": "https://all.example"}]
    assert request(source).url == "https://own.example/x"
    del source["paths"]["/x"]["post"]["servers"]
    source["paths"]["/x"]["servers"] = [{"url": "https://path.example"}]
    assert request(source).url == "https://path.example/x"


def test_each_parameter_goes_to_its_place() -> None:
    source = document(
        PATH_ID,
        {"name": "q", "in": "query", "schema": {}},
        {"name": "X-Tag", "in": "header", "schema": {}},
        {"name": "s", "in": "cookie", "schema": {}},
        {"name": "t", "in": "cookie", "schema": {}},
        path="/x/{id}",
    )
    made = request(source, **{"id": "a/b", "q": True, "X-Tag": ["u", "v"], "s": "1;2", "t": 3})
    assert made.url == "https://docs.example/x/a%2Fb"
    assert made.query == {"q": "true"}
    assert made.headers == {"X-Tag": "u,v", "Cookie": "s=1%3B2; t=3"}
    assert made.body is None


@pytest.mark.parametrize(
    ("how", "value", "query"),
    [
        ({}, [1, 2], {"q": "1,2"}),
        ({"collectionFormat": "multi"}, [1, 2], {"q": ["1", "2"]}),
        ({"collectionFormat": "pipes"}, ["a", "b"], {"q": "a|b"}),
        ({"schema": {}}, [1, 2], {"q": ["1", "2"]}),
        ({"schema": {}, "explode": False}, [1, 2], {"q": "1,2"}),
        ({"schema": {}, "style": "spaceDelimited"}, [1, 2], {"q": "1 2"}),
        ({"schema": {}, "style": "deepObject"}, {"a": 1, "b": "x"}, {"q[a]": "1", "q[b]": "x"}),
        ({"schema": {}}, {"a": 1}, {"a": "1"}),
        ({"content": {JSON: {}}}, {"a": [1]}, {"q": '{"a": [1]}'}),
        ({"schema": {}}, None, {}),
    ],
)
def test_a_list_in_the_query_looks_as_the_document_says(how: Any, value: Any, query: Any) -> None:
    assert request(document({"name": "q", "in": "query", **how}), q=value).query == query


def test_what_is_declared_nowhere_is_the_json_body_of_openapi_3() -> None:
    source = document(PATH_ID, path="/x/{id}", requestBody={"content": {JSON: {}}})
    made = request(source, id=7, name="Rex", tags=["a"])
    assert (made.url, made.body) == ("https://docs.example/x/7", {"name": "Rex", "tags": ["a"]})
    assert made.headers["Content-Type"] == JSON
    assert request(source, id=7).body is None


def test_a_body_that_is_only_taken_as_a_form_is_a_form() -> None:
    made = request(document(requestBody={"content": {FORM: {}}}), name="Rex")
    assert (made.headers["Content-Type"], made.body) == (FORM, {"name": "Rex"})
    upload = document(requestBody={"content": {"multipart/form-data": {}}})
    assert "multipart/form-data" in refusal(upload, name="Rex")


def test_swagger_2_names_its_body_and_its_form_fields() -> None:
    body = document({"name": "pet", "in": "body", "required": True}, two=True)
    made = request(body, pet={"name": "Rex"})
    assert (made.url, made.body) == ("https://api.example/v2/x", {"name": "Rex"})
    form = document({"name": "a", "in": "formData"}, {"name": "b", "in": "formData"}, two=True)
    made = request(form, a=1, b="x")
    assert (made.headers["Content-Type"], made.body) == (FORM, {"a": 1, "b": "x"})
    assert "is a file" in refusal(document({"name": "f", "in": "formData", "type": "file"}, two=True), f="x")


def test_a_missing_parameter_is_named_with_its_place() -> None:
    assert refusal(document(PATH_ID, path="/x/{id}")).startswith("invalid_input: /parameters/id is required by go (in")
    assert "/parameters/q is required" in refusal(document({"name": "q", "in": "query", "required": True}), q=None)
    assert "requires a body" in refusal(document(requestBody={"required": True, "content": {JSON: {}}}))


def test_an_unknown_parameter_is_refused_with_the_nearest_one() -> None:
    assert "did you mean 'petId'?" in refusal(document({"name": "petId", "in": "query"}, two=True), petid=1)


@pytest.mark.parametrize("value", ["", ".", "..", []])
def test_a_path_parameter_cannot_lead_to_another_path(value: Any) -> None:
    assert "another path" in refusal(document(PATH_ID, path="/x/{id}"), id=value)


def test_an_unknown_operation_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ActionError, match="did you mean 'go'") as error:
        openapi_document.find(document(), URL, "goo")
    assert error.value.code == "unknown_operation"


def test_references_inside_the_document_are_followed() -> None:
    source = document({"$ref": "#/components/parameters/Id"}, path="/x/{id}")
    source["components"] = {"parameters": {"Id": {"$ref": "#/components/parameters/a~1b"}, "a/b": PATH_ID}}
    assert request(source, id=7).url == "https://docs.example/x/7"
    assert refusal(document({"$ref": "https://evil.example/p.json"})).startswith("invalid_document")


def test_references_in_a_circle_end() -> None:
    source = document({"$ref": "#/a"})
    source |= {"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}
    assert "circle" in refusal(source)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe", b"[]", b"{", b"paths: [1", b"- a", b"{}", b'{"paths": []}', b"a: !!python/object:os.system {}",
        b"paths: {a: &a {x: 1}, b: {<<: *a}}", b"paths: " + b"[" * 100_000, b"[{" * 50_000, b'{"a":' * 100_000,
        b"paths: {[a]: 1}", b"paths: {a: &a [1], b: &b [*a, *a]}", b"\x00", b"", b"-\n" * 3,
    ],
)  # fmt: skip
def test_what_is_no_document_is_an_error_that_says_so(body: bytes) -> None:
    with pytest.raises(ActionError) as error:
        openapi_document._parsed(URL, body)
    assert error.value.code == "invalid_document"


def test_json_and_yaml_say_the_same() -> None:
    text = "openapi: 3.0.0\npaths:\n  /x:\n    get: {operationId: go, responses: {200: {description: fine}}}\n"
    again = {"openapi": "3.0.0", "paths": {"/x": {"get": {"operationId": "go", "responses": {}}}}}
    for body in (text.encode(), json.dumps(again).encode()):
        assert openapi_document.find(openapi_document._parsed(URL, body), URL, "go").path == "/x"


@pytest.mark.parametrize("head", [{}, {"openapi": "4.0"}, {"swagger": "1.2"}])
def test_other_versions_are_refused(head: dict[str, str]) -> None:
    with pytest.raises(ActionError, match=r"Swagger 2\.0 and OpenAPI 3"):
        openapi_document.find({**head, "paths": {}}, URL, "go")
