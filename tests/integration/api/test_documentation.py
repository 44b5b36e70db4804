"""The schema is complete and valid, and its page runs under the strict content security policy."""

import re
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from dotdo_site.lib import problem_types
from tests.integration.api.test_access_matrix import MATRIX

EVENT_BODIES = [
    "application/cloudevents+json",
    "application/json",
    "application/cloudevents-batch+json",
    "*/*",
]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return _generate()


def test_the_schema_is_valid(schema: dict[str, Any]) -> None:
    validate_schema(schema)  # type: ignore[no-untyped-call]


def test_generating_the_schema_gives_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    _generate()
    said = capsys.readouterr().err
    assert "Warning" not in said
    assert "Error" not in said


def test_every_operation_is_described_tagged_and_lists_its_errors(schema: dict[str, Any]) -> None:
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert len(operations) == sum(len(methods) for _, methods in MATRIX.values())
    for operation in operations:
        assert operation["summary"], operation["operationId"]
        assert operation["tags"] != ["api"]
        assert {"401", "403", "429", "503"} <= operation["responses"].keys()
        for status, response in operation["responses"].items():
            if status >= "400":
                assert "application/problem+json" in response["content"]
        if "requestBody" in operation:
            expected = EVENT_BODIES if operation["operationId"] == "send_event" else ["application/json"]
            assert list(operation["requestBody"]["content"]) == expected
    assert {"apiKey": []} in operations[0]["security"]


def test_the_problem_document_is_described_with_its_list_of_errors(schema: dict[str, Any]) -> None:
    assert "errors" in schema["components"]["schemas"]["Problem"]["properties"]


def test_the_page_has_no_inline_style_or_script_and_a_strict_policy(client: Client) -> None:
    response = client.get("/api/docs/")
    page = response.content.decode()
    assert response.status_code == 200
    assert "<style" not in page
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert "unsafe" not in response["Content-Security-Policy"]
    assert "http://" not in page
    assert "https://" not in page
    assert client.get("/api/docs/?script=").status_code == 200


def test_the_schema_is_served(client: Client) -> None:
    assert client.get("/api/schema/").status_code == 200


@pytest.mark.django_db
def test_the_type_of_every_problem_leads_to_a_page_for_everybody(client: Client) -> None:
    problem = client.get("/api/v1/nothing").json()
    page = client.get(problem["type"])
    assert (page.status_code, b"404 not-found" in page.content) == (200, True)
    for slug in problem_types.TYPES:
        assert client.get(f"/problems/{slug}").status_code == 200
    assert client.get("/problems/nothing").status_code == 404


@pytest.mark.parametrize("path", ["/api/", "/api/v2/runs", "/api/v1/nothing", "/api/v1"])
def test_what_is_not_there_is_a_problem_document_for_everybody(client: Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        response = client.generic(method, path)
        assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def _generate() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return generated
