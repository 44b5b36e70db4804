"""The arguments of `call: http` and `call: openapi`, as far as they are written out."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from workflows.language.checks.authentication import check_authentication
from workflows.language.checks.report import Report, at, check_boolean, check_choice, check_object, nearest
from workflows.language.checks.values import is_expression

HTTP = ("method", "endpoint", "headers", "query", "body", "output", "redirect")
OPENAPI = ("document", "operationId", "parameters", "authentication", "output", "redirect")
MISPLACED = "authentication"  # of `call: openapi`, where it stands beside the document
REQUIRED = {"http": ("method", "endpoint"), "openapi": ("document", "operationId")}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
OUTPUTS = ("content", "response", "raw")
TEMPLATE = re.compile(r"\{([^{}]*)\}")
# Operators and modifiers of the higher levels of RFC 6570, which the language does not have.
HIGHER = re.compile(r"[+#./;?&=,!@|].*|.*[*:,].*|\s*", re.DOTALL)


def check_arguments(report: Report, protocol: str, given: Mapping[str, Any], pointer: str, *, complete: bool) -> None:
    """Check the `with` of a call but for its expressions; one that is not complete may lack what is required."""
    keys = HTTP if protocol == "http" else OPENAPI
    if protocol == "http" and MISPLACED in given:
        hint = "Write `endpoint: {uri: …, authentication: …}`."
        report.add(at(pointer, MISPLACED), "`authentication` belongs inside `endpoint`", suggestion=hint)
        given = {key: value for key, value in given.items() if key != MISPLACED}
    check_object(report, given, pointer, keys, required=REQUIRED[protocol] if complete else ())
    if "output" in given and not is_expression(given["output"]):
        check_choice(report, given["output"], at(pointer, "output"), OUTPUTS)
    if not is_expression(given.get("redirect")):
        check_boolean(report, given, "redirect", pointer)
    if protocol == "http":
        _check_http(report, given, pointer)
    else:
        _check_openapi(report, given, pointer)


def _check_http(report: Report, given: Mapping[str, Any], pointer: str) -> None:
    method = given.get("method", "GET")
    if not is_expression(method) and not (isinstance(method, str) and method.upper() in METHODS):
        hint = nearest(method.upper(), METHODS) if isinstance(method, str) else ""
        expected = ", ".join(METHODS)
        report.add(at(pointer, "method"), "this is not a method", found=method, expected=expected, suggestion=hint)
    if "endpoint" in given:
        _check_endpoint(report, given["endpoint"], at(pointer, "endpoint"), filled=True)
    for key in ("headers", "query"):
        if key in given and not is_expression(given[key]):
            _check_texts(report, given[key], at(pointer, key))


def _check_openapi(report: Report, given: Mapping[str, Any], pointer: str) -> None:
    document, place = given.get("document", {"endpoint": "https://example.com"}), at(pointer, "document")
    if check_object(report, document, place, ("name", "endpoint"), required=("endpoint",)) and "endpoint" in document:
        _check_endpoint(report, document["endpoint"], at(place, "endpoint"), filled=False)
    if not isinstance(given.get("operationId", ""), str):
        report.add(at(pointer, "operationId"), "`operationId` must be a text", found=given["operationId"])
    parameters = given.get("parameters", {})
    if not isinstance(parameters, dict) and not is_expression(parameters):
        message = "`parameters` must be an object or an expression in ${ }"
        report.add(at(pointer, "parameters"), message, found=parameters)
    if "authentication" in given:
        check_authentication(report, given["authentication"], at(pointer, "authentication"))


def _check_endpoint(report: Report, endpoint: Any, pointer: str, *, filled: bool) -> None:
    """Check where a call goes. `filled`: names in braces are filled in from the task's input."""
    if isinstance(endpoint, dict):
        if not check_object(report, endpoint, pointer, ("uri", "authentication"), required=("uri",)):
            return
        if "uri" in endpoint:
            _check_uri(report, endpoint["uri"], at(pointer, "uri"), filled=filled)
        if "authentication" in endpoint:
            check_authentication(report, endpoint["authentication"], at(pointer, "authentication"))
    else:
        _check_uri(report, endpoint, pointer, filled=filled)


def _check_uri(report: Report, uri: Any, pointer: str, *, filled: bool) -> None:
    if is_expression(uri) or (isinstance(uri, str) and "${" in uri):
        return
    try:
        parts = urlsplit(TEMPLATE.sub("x", uri)) if isinstance(uri, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        report.add(pointer, "this is not an address", found=uri, expected="http:// or https:// and a host")
        return
    for name in TEMPLATE.findall(uri):
        if HIGHER.fullmatch(name) or not filled:
            hint = "Only `{name}` in the address of an HTTP call is filled in; write an expression in `${ }`."
            report.add(pointer, f"`{{{name[:60]}}}` cannot be filled in", found=uri, suggestion=hint)


def _check_texts(report: Report, value: Any, pointer: str) -> None:
    if not isinstance(value, dict):
        report.add(pointer, "this must be an object of texts, or an expression in ${ }", found=value)
        return
    for key, item in value.items():
        if not isinstance(item, str):
            report.add(at(pointer, key), "this must be a text", found=item, suggestion="Quote it.")
