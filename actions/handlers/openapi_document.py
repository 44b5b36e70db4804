"""OpenAPI documents (Swagger 2.0, OpenAPI 3): read, remembered for a minute, and the operation that a call names."""

import difflib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import urljoin, urlsplit

import yaml

from actions.context import Context
from actions.errors import ActionError
from actions.handlers import answers, calling, plain_yaml

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
FRESH_SECONDS = 60.0
REMEMBERED = 8  # the largest take some 10 MB of memory
MAX_REFERENCES = 16
JSON_OR_YAML = "application/json, application/yaml;q=0.9, */*;q=0.8"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document: `parameters` are those of its path and its own, references resolved."""

    id: str
    method: str
    base: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any] | None
    consumes: tuple[str, ...]
    swagger2: bool


_remembered: dict[str, tuple[float, dict[str, Any]]] = {}
_lock = Lock()


def read(ctx: Context, url: str, authentication: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the document at a URL, at most a minute old. Raises ActionError."""
    # With the names of the secrets: who may not use a secret must not see what was fetched with it.
    key = json.dumps([url, authentication, sorted(ctx.secret_names)], sort_keys=True)
    with _lock:
        until, document = _remembered.get(key, (0.0, {}))
    if until > time.monotonic():
        return document
    request = calling.Request("GET", url, headers={"Accept": JSON_OR_YAML}, authentication=authentication)
    answer = calling.fetch(ctx, request)
    if not 200 <= answer.status < 300:
        raise answers.failure("GET", url, answer)
    document = _parsed(url, answer.body)
    with _lock:
        if len(_remembered) >= REMEMBERED:
            _remembered.clear()
        _remembered[key] = (time.monotonic() + FRESH_SECONDS, document)
    return document


def forget() -> None:
    """Forget all documents."""
    with _lock:
        _remembered.clear()


def find(document: Mapping[str, Any], url: str, operation_id: str) -> Operation:
    """Return the operation with an id. Raises ActionError `unknown_operation`, `invalid_document`."""
    swagger2 = _is_swagger2(document)
    known = {str(found[-1].get("operationId", "")): found for found in _operations(document)}
    if not operation_id or operation_id not in known:
        near = difflib.get_close_matches(operation_id, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {len(known)} others"
        raise ActionError("unknown_operation", f"{url} has no operation {operation_id!r}: {hint}", retryable=False)
    path, item, method, operation = known[operation_id]
    base = _swagger2_base(document, operation, url) if swagger2 else _openapi3_base([operation, item, document], url)
    return Operation(
        id=operation_id,
        method=method,
        base=base,
        path=path,
        parameters=_parameters(document, item, operation),
        body=_object(document, operation.get("requestBody")),
        consumes=tuple(operation.get("consumes", document.get("consumes", ()))),
        swagger2=swagger2,
    )


def _parsed(url: str, body: bytes) -> dict[str, Any]:
    try:
        text = body.decode("utf-8-sig")
        is_json = text.lstrip().startswith("{")
        document = json.loads(text) if is_json else plain_yaml.load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise invalid(url, f"neither JSON nor YAML: {' '.join(str(error).split())[:300]}") from None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise invalid(url, "it has no `paths`")
    return document


def _is_swagger2(document: Mapping[str, Any]) -> bool:
    version = str(document.get("openapi", document.get("swagger", "")))
    if "openapi" in document and version.startswith("3."):
        return False
    if version == "2.0":
        return True
    raise invalid("the document", f"its version is {version or 'missing'}; Swagger 2.0 and OpenAPI 3 are understood")


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str, Mapping[str, Any]]]:
    for path, given in document["paths"].items():
        item = _object(document, given) or {}
        for method in METHODS:
            if isinstance(item.get(method), dict):
                yield str(path), item, method, item[method]


def _parameters(
    document: Mapping[str, Any], item: Mapping[str, Any], operation: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """Return the declared parameters; one of the operation replaces that of its path with the same name and place."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for given in [*item.get("parameters", ()), *operation.get("parameters", ())]:
        parameter = _object(document, given)
        if parameter is None or not isinstance(parameter.get("name"), str) or "in" not in parameter:
            raise invalid("the document", f"a parameter of {operation.get('operationId')!r} has no name or place")
        found[parameter["name"], str(parameter["in"])] = parameter
    return tuple(found.values())


def _swagger2_base(document: Mapping[str, Any], operation: Mapping[str, Any], url: str) -> str:
    here = urlsplit(url)
    schemes = operation.get("schemes") or document.get("schemes") or [here.scheme]
    scheme = "https" if "https" in schemes else schemes[0]
    return f"{scheme}://{document.get('host') or here.netloc}{str(document.get('basePath', '')).rstrip('/')}"


def _openapi3_base(places: Sequence[Mapping[str, Any]], url: str) -> str:
    """Return the first server of the first place that has any, its variables at their defaults."""
    servers: list[Any] = next((place["servers"] for place in places if place.get("servers")), [{"url": "/"}])
    server = str(servers[0].get("url", "/"))
    for name, variable in (servers[0].get("variables") or {}).items():
        server = server.replace(f"{{{name}}}", str(variable.get("default", "")))
    if "{" in server:
        raise invalid(url, f"its server {server} has a variable without default")
    return urljoin(url, server).rstrip("/")


def _object(document: Mapping[str, Any], value: Any) -> Mapping[str, Any] | None:
    """Return an object of the document, references to other places of it followed. Raises ActionError."""
    for _ in range(MAX_REFERENCES):
        if not isinstance(value, dict) or "$ref" not in value:
            return value if isinstance(value, dict) else None
        value = _at(document, str(value["$ref"]))
    raise invalid("the document", "its references lead in a circle")


def _at(document: Mapping[str, Any], reference: str) -> Any:
    found: Any = document
    for escaped in reference.removeprefix("#").split("/")[1:]:
        part = escaped.replace("~1", "/").replace("~0", "~")
        found = found.get(part) if isinstance(found, dict) else None
    if not reference.startswith("#/") or found is None:
        raise invalid("the document", f"its reference {reference!r} leads nowhere inside it; others are not fetched")
    return found


def invalid(url: str, why: str) -> ActionError:
    """Return the error for a document that cannot be used."""
    return ActionError("invalid_document", f"{url} is not an OpenAPI document that can be used: {why}", retryable=False)
