"""What `call: http` and `call: openapi` share: a request is completed with secrets, sent, and its answer read.

Everything that goes wrong on the way is a failure to communicate: an error with a status, 500 where the server gave
none. Errors of what was asked for (`invalid_input`, `invalid_template`, `secret_refused`) have none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from actions import markers, schemas, secrets
from actions.context import Context
from actions.errors import ActionError
from actions.handlers import answers, credentials, guard, templates, uri_template
from actions.handlers.http import METHODS
from actions.sensitive import MASK

T = TypeVar("T")

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TEXT = {"type": "string"}
LOGIN = {
    "type": "object",
    "properties": {"use": TEXT, "username": TEXT, "password": TEXT},
    "additionalProperties": False,
}
BEARER = {"type": "object", "properties": {"use": TEXT, "token": TEXT}, "additionalProperties": False}
AUTHENTICATION = {
    "type": "object",
    "properties": {"basic": LOGIN, "bearer": BEARER},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
ENDPOINT = {
    "type": ["string", "object"],
    "properties": {"uri": TEXT, "authentication": AUTHENTICATION},
    "required": ["uri"],
    "additionalProperties": False,
}
OUTPUT = {"enum": ["content", "response", "raw"]}

# The arguments of an authentication -> the value of the Authorization header
Schemes = Mapping[str, Callable[[Mapping[str, str]], str]]
SCHEMES: Schemes = {
    "basic": lambda parts: credentials.basic(parts["username"], parts["password"]),
    "bearer": lambda parts: f"Bearer {parts['token']}",
}


@dataclass(slots=True)
class Request:
    """A request in which markers still stand for secrets. `body` None is no body."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    authentication: Mapping[str, Any] | None = None


def check(schema: Mapping[str, Any], value: Any) -> None:
    """Raise ActionError `invalid_input` when the arguments of a call do not fit."""
    if found := schemas.problems(schema, value):
        raise ActionError("invalid_input", "; ".join(map(str, found)), retryable=False)


def endpoint(given: Any, variables: Any = None) -> tuple[str, Mapping[str, Any] | None]:
    """Return the URI of an endpoint, with variables its template expanded, and its authentication."""
    uri, authentication = (given, None) if isinstance(given, str) else (given["uri"], given.get("authentication"))
    return uri if variables is None else uri_template.expand(uri, variables), authentication


def text_of(what: str, value: Any) -> Any:
    """Return a value as the text (or the texts, for a list) that a header or a query has."""
    if isinstance(value, list):
        return [text_of(what, part) for part in value]
    if isinstance(value, dict):
        raise ActionError("invalid_input", f"{what} is an object; use a text, a number or a list", retryable=False)
    return templates.as_text(value)


def send(ctx: Context, request: Request, output: str = "content", *, redirect: bool = False) -> Any:
    """Send the request and return what `output` asks for. Redirects are not followed: `redirect` returns them."""
    answer = fetch(ctx, request)
    if not 200 <= answer.status < (400 if redirect else 300):
        raise answers.failure(request.method, request.url, answer)
    if output == "raw":
        return answers.encoded(answer)
    content = _communicated(lambda: answers.content(answer))
    return content if output == "content" else _response(request, answer, content)


def fetch(ctx: Context, request: Request) -> guard.Answer:
    """Send the request, secrets put in, and return the answer, whatever its status."""
    _name_the_effect(ctx, request)

    def reveal(name: str) -> Mapping[str, str]:
        return secrets.use(name, credentials.host_for_secrets(request.url))

    def filled(value: Any) -> Any:
        return markers.substitute(value, ctx.secret_names, reveal)

    url = markers.substitute(request.url, ctx.secret_names, reveal, lambda text: quote(text, safe=""))
    headers = filled(request.headers) | _authorization(ctx, request, reveal)
    content = _encoded(filled(request.body), _content_type(request))
    query = filled(request.query)
    return _communicated(
        lambda: ctx.http.request(
            request.method, url, headers=headers, query=query, content=content, timeout=ctx.remaining()
        )
    )


def _name_the_effect(ctx: Context, request: Request) -> None:
    """Give the receiver what it needs to tell a repetition, and the body its type, unless the author did."""
    request.method = request.method.upper()
    if request.method not in METHODS:
        raise ActionError("invalid_input", f"/method must be one of {', '.join(METHODS)}", retryable=False)
    given = {name.lower() for name in request.headers}
    if request.method not in SAFE and "idempotency-key" not in given:
        request.headers["Idempotency-Key"] = ctx.idempotency_key
    if request.body is not None and "content-type" not in given:
        request.headers["Content-Type"] = JSON
    if request.authentication and "authorization" in given:
        raise ActionError("invalid_input", "/headers has an Authorization beside the authentication", retryable=False)


def _authorization(ctx: Context, request: Request, reveal: markers.Reveal) -> dict[str, str]:
    if not request.authentication:
        return {}
    ((scheme, given),) = request.authentication.items()
    name = given.get("use")
    if name is not None and name not in ctx.secret_names:
        raise ActionError("secret_refused", f"the workflow does not name the secret {name!r}", retryable=False)
    parts = markers.substitute(given, ctx.secret_names, reveal) if name is None else reveal(name)
    try:
        return {"Authorization": SCHEMES[scheme](parts)}
    except KeyError as error:
        whose = "the authentication" if name is None else f"the secret of {name!r}"
        code = "invalid_input" if name is None else "secret_refused"
        raise ActionError(code, f"{scheme}: {whose} has no {error}", retryable=False) from None


def _content_type(request: Request) -> str:
    return next((value for name, value in request.headers.items() if name.lower() == "content-type"), "")


def _encoded(body: Any, content_type: str) -> bytes:
    """Return the body as its type says: a form, a text as it is, everything else as JSON."""
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    if body is None:
        return b""
    if kind == FORM and isinstance(body, dict):
        fields = {name: text_of(f"/body/{name}", part) for name, part in body.items() if part is not None}
        return urlencode(fields, doseq=True).encode()
    if isinstance(body, str) and kind != JSON and not kind.endswith("+json"):
        return body.encode()
    return guard.json_bytes(body)


def _response(request: Request, answer: guard.Answer, content: Any) -> dict[str, Any]:
    """Return request and answer; the request as it was before secrets were put in."""
    hidden = {"Authorization": MASK} if request.authentication else {}
    return {
        "request": {
            "method": request.method,
            "uri": str(guard.parse_url(request.url, request.query)),
            "headers": request.headers | hidden,
        },
        "statusCode": answer.status,
        "headers": dict(answer.headers),
        "content": content,
    }


def _communicated(exchange: Callable[[], T]) -> T:
    """Give every failure to communicate a status, so that it can be told from failures of what was asked for."""
    try:
        return exchange()
    except ActionError as error:
        if error.code != "invalid_header":
            error.details.setdefault("status", int(HTTPStatus.INTERNAL_SERVER_ERROR))
        raise
