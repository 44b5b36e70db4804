"""`call: openapi` of the workflow language: the request that an operation of an OpenAPI document describes.

document        {endpoint}: where the document is           operationId  which operation
parameters      {name: value}, sent where the document says; the body by ruling R6
authentication, output, redirect: as for `call: http`
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from actions.context import Context
from actions.errors import ActionError
from actions.handlers import calling, guard, openapi_document, templates
from actions.handlers.openapi_document import Operation

SCHEMA = {
    "type": "object",
    "properties": {
        "document": {
            "type": "object",
            "properties": {"name": calling.TEXT, "endpoint": calling.ENDPOINT},
            "required": ["endpoint"],
            "additionalProperties": False,
        },
        "operationId": calling.TEXT,
        "parameters": {"type": "object"},
        "authentication": calling.AUTHENTICATION,
        "output": calling.OUTPUT,
        "redirect": {"type": "boolean"},
    },
    "required": ["document", "operationId"],
    "additionalProperties": False,
}
SEPARATORS = {
    "ssv": " ", "tsv": "\t", "pipes": "|", "csv": ",",  # Swagger 2.0: collectionFormat
    "spaceDelimited": " ", "pipeDelimited": "|",  # OpenAPI 3: style
}  # fmt: skip


def run(ctx: Context, config: dict[str, Any], value: Any) -> Any:
    """Call the operation; return what `output` asks for. Raises ActionError."""
    del config  # everything is in the arguments
    calling.check(SCHEMA, value)
    url, reading = calling.endpoint(value["document"]["endpoint"])
    operation = openapi_document.find(openapi_document.read(ctx, url, reading), url, value["operationId"])
    request = request_of(operation, value.get("parameters", {}))
    request.authentication = value.get("authentication")
    return calling.send(ctx, request, value.get("output", "content"), redirect=value.get("redirect", False))


def request_of(operation: Operation, values: Mapping[str, Any]) -> calling.Request:
    """Return the request for an operation with these parameters. Raises ActionError `invalid_input`."""
    request = calling.Request(operation.method, operation.base + operation.path)
    left = {name: value for name, value in values.items() if value is not None}
    given = dict(left)
    for parameter in operation.parameters:
        if parameter["name"] in given:
            value = given[parameter["name"]]
            written = guard.json_bytes(value).decode() if "content" in parameter else value  # as a text in JSON
            PLACES.get(parameter["in"], _in_form)(request, parameter, written)
            left.pop(parameter["name"], None)
        else:
            _refuse_missing(operation, parameter)
    _add_body(operation, request, left)
    return request


def _refuse_missing(operation: Operation, parameter: Mapping[str, Any]) -> None:
    if parameter.get("required") or parameter["in"] == "path":
        name = parameter["name"]
        raise _refused(f"/parameters/{name} is required by {operation.id} (in {parameter['in']})")


def _in_path(request: calling.Request, parameter: Mapping[str, Any], value: Any) -> None:
    name, text = parameter["name"], _joined(parameter, value)
    if text in ("", ".", ".."):
        raise _refused(f"/parameters/{name} is {text!r}, which would lead to another path")
    request.url = request.url.replace(f"{{{name}}}", quote(text, safe=""))


def _in_query(request: calling.Request, parameter: Mapping[str, Any], value: Any) -> None:
    request.query |= _query(parameter, value)


def _in_header(request: calling.Request, parameter: Mapping[str, Any], value: Any) -> None:
    request.headers[parameter["name"]] = _joined(parameter, value)


def _in_cookie(request: calling.Request, parameter: Mapping[str, Any], value: Any) -> None:
    earlier = [request.headers["Cookie"]] if "Cookie" in request.headers else []
    request.headers["Cookie"] = "; ".join(
        [*earlier, f"{parameter['name']}={quote(_joined(parameter, value), safe='')}"]
    )


def _in_body(request: calling.Request, parameter: Mapping[str, Any], value: Any) -> None:
    del parameter  # its name is only for people
    request.body = value


def _in_form(request: calling.Request, parameter: Mapping[str, Any], value: Any) -> None:
    if parameter.get("type") == "file":
        raise _refused(f"/parameters/{parameter['name']} is a file; files are not sent")
    request.headers["Content-Type"] = calling.FORM
    request.body = {**(request.body or {}), parameter["name"]: value}


PLACES: Mapping[str, Callable[[calling.Request, Mapping[str, Any], Any], None]] = {
    "path": _in_path, "query": _in_query, "header": _in_header, "cookie": _in_cookie, "body": _in_body,
}  # fmt: skip


def _query(parameter: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """Return what a parameter adds to the query, in the style that it declares."""
    name = parameter["name"]
    where = f"/parameters/{name}"
    if isinstance(value, dict):
        deep = parameter.get("style") == "deepObject"
        return {f"{name}[{key}]" if deep else key: calling.text_of(where, part) for key, part in value.items()}
    if not isinstance(value, list):
        return {name: templates.as_text(value)}
    texts = calling.text_of(where, value)
    separator = _separator(parameter)
    return {name: texts if separator is None else separator.join(texts)}


def _separator(parameter: Mapping[str, Any]) -> str | None:
    """Return what stands between the values of a list, None for a parameter that is repeated."""
    if "schema" not in parameter and "content" not in parameter:  # Swagger 2.0
        how = parameter.get("collectionFormat", "csv")
        return None if how == "multi" else SEPARATORS.get(how, ",")
    style = parameter.get("style", "form")
    return None if parameter.get("explode", style == "form") else SEPARATORS.get(style, ",")


def _joined(parameter: Mapping[str, Any], value: Any) -> str:
    text = calling.text_of(f"/parameters/{parameter['name']}", value)
    return ",".join(text) if isinstance(text, list) else text


def _add_body(operation: Operation, request: calling.Request, left: dict[str, Any]) -> None:
    """Make a body of the parameters that are declared nowhere; Swagger 2.0 declares its body."""
    if operation.swagger2 or operation.body is None:
        if left:
            raise _refused(_unknown(operation, left))
        if request.headers.get("Content-Type") == calling.FORM:
            _set_form(request, request.body, operation.consumes or (calling.FORM,))
    elif left:
        _set_content(request, left, list(operation.body.get("content", {calling.JSON: {}})))
    elif operation.body.get("required"):
        raise _refused(f"{operation.id} requires a body: give its fields among the parameters")


def _set_content(request: calling.Request, fields: dict[str, Any], types: list[str]) -> None:
    kinds = {kind.split(";")[0].strip().lower(): kind for kind in types}
    for kind, written in kinds.items():
        if kind in (calling.JSON, "*/*") or kind.endswith("+json"):
            request.headers["Content-Type"] = calling.JSON if kind == "*/*" else written
            request.body = fields
            return
    _set_form(request, fields, kinds)


def _set_form(request: calling.Request, fields: dict[str, Any], types: Iterable[str]) -> None:
    if calling.FORM not in types:
        raise _refused(f"the body would be {', '.join(types)}; JSON and URL-encoded forms can be sent")
    request.headers["Content-Type"], request.body = calling.FORM, fields


def _unknown(operation: Operation, left: Mapping[str, Any]) -> str:
    name = next(iter(left))
    known = [parameter["name"] for parameter in operation.parameters]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known) or 'none'}"
    return f"/parameters/{name} is no parameter of {operation.id}: {hint}"


def _refused(message: str) -> ActionError:
    return ActionError("invalid_input", message, retryable=False)
