"""Every error becomes a document that says what was wrong, where, and what to do; never a stack, never a value."""

import json
from collections.abc import Mapping
from typing import Any

import django.db
import psycopg
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from dotdo_site.lib import rest
from dotdo_site.lib.problems import flatten, near, problem_of
from dotdo_site.lib.rest import StrictJSONParser, StrictSerializer


class Body(StrictSerializer):
    version = serializers.CharField(required=False)
    count = serializers.IntegerField(default=1, min_value=1)


class Echo(APIView):
    authentication_classes = ()
    permission_classes: tuple[type[BasePermission], ...] = ()
    parser_classes: tuple[type[BaseParser], ...] = (StrictJSONParser,)

    def post(self, request: Request) -> Response:
        return Response(rest.body(request, Body))

    def get(self, request: Request) -> Response:
        return Response(rest.query(request, Body))


class Failing(Echo):
    error: Exception = Exception()

    def get(self, request: Request) -> Response:
        raise self.error


def post(raw: Any, content_type: str = "application/json") -> Response:
    return _rendered(Echo.as_view()(APIRequestFactory().generic("POST", "/api/v1/echo", raw, content_type)))


def get(query: str) -> Response:
    return _rendered(Echo.as_view()(APIRequestFactory().get("/api/v1/echo" + query)))


def failing(error: Exception) -> Response:
    return _rendered(Failing.as_view(error=error)(APIRequestFactory().get("/api/v1/echo")))


def _rendered(response: Any) -> Response:
    assert isinstance(response, Response)
    response.render()
    return response


def document(response: Response) -> Mapping[str, Any]:
    assert response["Content-Type"] == "application/problem+json"
    found: Mapping[str, Any] = json.loads(response.content)
    assert {"type", "title", "status", "detail", "instance"} <= found.keys()
    assert found["status"] == response.status_code
    assert found["type"].startswith("/problems/")
    return found


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b'{"a": NaN}', 400),
        (b'{"version": "\\u0000"}', 400),
        (b'{"version": "a", "version": "b"}', 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b"3", 422),
        (b"null", 422),
        (b'{"count": "x"}', 422),
        (b'{"count": 0}', 422),
        (b" " * (1024 * 1024 + 1), 413),
    ],
)
def test_a_bad_body_is_a_problem_document(raw: bytes, status: int) -> None:
    response = post(raw)
    assert response.status_code == status
    document(response)


def test_an_unknown_key_is_refused_and_names_the_nearest_one() -> None:
    found = document(post(b'{"vesion": "1"}'))
    assert found["errors"] == [
        {"pointer": "/vesion", "rule": "unknown", "message": "is not known here; did you mean 'version'?"}
    ]


def test_an_unknown_query_parameter_is_refused_as_a_bad_request() -> None:
    response = get("?cuont=1")
    assert (response.status_code, document(response)["type"]) == (400, "/problems/invalid-query")


def test_a_query_parameter_given_twice_is_refused_instead_of_choosing_one() -> None:
    assert "more than once" in document(get("?count=1&count=2"))["errors"][0]["message"]


def test_a_nul_in_a_query_parameter_is_refused_before_the_database_sees_it() -> None:
    assert get("?version=a%00b").status_code == 400


def test_a_declared_length_over_the_limit_is_refused_before_reading() -> None:
    request = APIRequestFactory().generic("POST", "/api/v1/echo", "{}", "application/json", CONTENT_LENGTH=str(10**12))
    assert _rendered(Echo.as_view()(request)).status_code == 413


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json; charset=latin-1"],
)
def test_another_media_type_is_a_415(content_type: str) -> None:
    assert post(b"{}", content_type).status_code == 415


def test_json_with_its_own_charset_named_is_fine() -> None:
    assert post(b'{"version": "1"}', "application/json; charset=UTF-8").status_code == 200


def test_a_wrong_method_is_a_405_that_lists_the_right_ones() -> None:
    response = _rendered(Echo.as_view()(APIRequestFactory().delete("/api/v1/echo")))
    assert (response.status_code, document(response)["status"]) == (405, 405)
    assert "POST" in response["Allow"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Http404("no run"), 404),
        (PermissionDenied("no"), 403),
        (SuspiciousOperation("x"), 400),
        (RequestDataTooBig("x"), 413),
        (exceptions.NotAcceptable(), 406),
        (exceptions.Throttled(wait=3.2), 429),
        (django.db.OperationalError("server closed the connection"), 503),
        (django.db.InterfaceError("connection already closed"), 503),
        (psycopg.OperationalError("server closed the connection"), 503),
        (psycopg.InterfaceError("the connection is closed"), 503),
        (psycopg.DatabaseError("server closed the connection unexpectedly"), 503),
        (psycopg.errors.NotNullViolation("null value in column"), 500),
        (RuntimeError("the password is hunter2"), 500),
    ],
)
def test_an_error_has_its_status_and_shows_nothing_private(error: Exception, status: int) -> None:
    response = failing(error)
    assert response.status_code == status
    assert "hunter2" not in response.content.decode()
    assert "Traceback" not in response.content.decode()
    assert "server closed" not in response.content.decode()
    document(response)


def test_a_database_that_is_away_is_a_503_that_says_when_to_come_back() -> None:
    assert failing(django.db.OperationalError("gone"))["Retry-After"] == "5"


def test_a_throttled_caller_is_told_how_long() -> None:
    assert failing(exceptions.Throttled(wait=3.2))["Retry-After"] == "4"


def test_an_unexpected_error_gives_an_id_that_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    number = document(failing(RuntimeError("inside")))["correlation_id"]
    assert number in caplog.text
    assert "RuntimeError: inside" in caplog.text


def test_nested_errors_become_pointers() -> None:
    nested = {"tags": {2: [exceptions.ErrorDetail("too long", "max_length")]}, "a/b": ["x"], "non_field_errors": ["y"]}
    assert [error["pointer"] for error in flatten(nested)] == ["/tags/2", "/a~1b", ""]


def test_near_names_are_the_best_three() -> None:
    assert near("send-mial", ["send-mail", "charge-card", "send-mails"]) == ["send-mail", "send-mails"]


def test_every_problem_can_be_written_without_a_request() -> None:
    assert problem_of(Http404()).document("/x")["detail"]
