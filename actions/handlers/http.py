"""Actions that are one HTTP request. The configuration:

method      GET, POST, ...                            url      https://api.example.com/users/{id}
query       {name: "{{ path }}"}                      headers  {name: "{{ path }}"}
body        JSON with "{{ path }}" in it; without one POST, PUT and PATCH send the whole input
encoding    json (default) or form                    connection  {name, as: bearer|basic|header, header}
success     statuses that are fine, default ["2xx"]   errors   {"409": {code, retryable}, "4xx": {...}}
response    content (default) or response: {status, headers, content}
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from actions import secrets
from actions.context import Context
from actions.errors import CODE, ActionError
from actions.handlers import answers, credentials, guard, templates
from actions.problems import Problem, pointer

OUTSIDE = True
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
KEYS = frozenset(
    ["method", "url", "query", "headers", "body", "encoding", "connection", "success", "errors", "response"]
)
URL_FIELD = re.compile(r"\{([A-Za-z_][\w-]*)\}", re.ASCII)
STATUS = re.compile(r"[1-5](?:xx|\d\d)")
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
OWN_HEADERS = frozenset({"idempotency-key", "x-dotdo-fence"})


def check(config: Any) -> list[Problem]:
    """Return everything that is wrong with a configuration."""
    if not isinstance(config, dict):
        return [Problem("", "config", "is not an object")]
    unknown = [
        Problem(pointer([key]), "config", "is not a setting of http actions") for key in sorted(set(config) - KEYS)
    ]
    return [*unknown, *_check_request(config), *_check_body(config), *_check_connection(config), *_check_answer(config)]


def run(ctx: Context, config: dict[str, Any], value: Any) -> Any:
    """Send the request; return what the configuration calls the response. Raises ActionError."""
    method, url = config["method"], _url(config["url"], value)
    headers = {
        **_headers(config, value),
        "Idempotency-Key": ctx.idempotency_key,
        "X-Dotdo-Fence": str(ctx.fence),
        **_credentials(config.get("connection"), url),
    }
    content, content_type = _body(config, value)
    headers = ({"Content-Type": content_type} if content_type else {}) | headers
    query = _query(config, value)
    answer = ctx.http.request(method, url, headers=headers, query=query, content=content, timeout=ctx.remaining())
    if not _matches(answer.status, config.get("success", ["2xx"])):
        raise answers.failure(method, url, answer, config.get("errors", {}))
    if config.get("response", "content") == "content":
        return answers.content(answer)
    return {"status": answer.status, "headers": dict(answer.headers), "content": answers.content(answer)}


def destination(config: dict[str, Any]) -> str:
    """Return the host that requests go to, for secrets. Raises ActionError when it may not have any."""
    return credentials.host_for_secrets(config["url"])


def _check_request(config: Mapping[str, Any]) -> Iterator[Problem]:
    if config.get("method") not in METHODS:
        yield Problem("/method", "config", f"must be one of {', '.join(METHODS)}")
    yield from _check_url(config.get("url"))
    for side in ("query", "headers"):
        given = config.get(side, {})
        if not isinstance(given, dict):
            yield Problem(f"/{side}", "config", "must be an object of texts")
        else:
            yield from (problem.under(f"/{side}") for problem in templates.check(given))
            yield from _check_texts(side, given)
    headers = config.get("headers")
    yield from _check_headers(headers if isinstance(headers, dict) else {})


def _check_texts(side: str, given: Mapping[str, Any]) -> Iterator[Problem]:
    for name, part in given.items():
        if not isinstance(part, str):
            yield Problem(f"/{side}" + pointer([name]), "config", "must be a text such as {{ path }}")


def _check_url(url: Any) -> Iterator[Problem]:
    if not isinstance(url, str):
        yield Problem("/url", "config", "must be a URL such as https://api.example.com/users/{id}")
        return
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        yield Problem("/url", "config", f"is not a URL: {error}")
        return
    if parts.scheme not in ("http", "https") or not host:
        yield Problem("/url", "config", "must begin with https:// or http:// and a host")
    if "{" in parts.netloc or parts.username is not None or parts.password is not None:
        yield Problem("/url", "config", "the host is fixed: no fields and no user name in it")
    if parts.fragment or set("{}") & set(URL_FIELD.sub("", url)):
        yield Problem("/url", "config", "fields are written {name}; there is no # part")


def _check_headers(headers: Mapping[str, Any]) -> Iterator[Problem]:
    for name in headers:
        where, lower = "/headers" + pointer([name]), name.lower()
        if not HEADER.fullmatch(name):
            yield Problem(where, "config", "is not a header name")
        elif lower in SECRET_HEADERS:
            yield Problem(where, "config", "secrets come from a connection, never from the configuration")
        elif lower in guard.OWN_HEADERS | OWN_HEADERS:
            yield Problem(where, "config", "is set by dotdo itself")


def _check_body(config: Mapping[str, Any]) -> Iterator[Problem]:
    yield from (problem.under("/body") for problem in templates.check(config.get("body")))
    if config.get("encoding", "json") not in ("json", "form"):
        yield Problem("/encoding", "config", "must be json or form")
    if config.get("encoding") == "form" and not isinstance(config.get("body", {}), dict):
        yield Problem("/body", "config", "a form is an object of values")
    if "body" in config and config.get("method") in ("GET", "HEAD"):
        yield Problem("/body", "config", f"{config['method']} has no body: use query")


def _check_connection(config: Mapping[str, Any]) -> Iterator[Problem]:
    if "connection" not in config:
        return
    given = config["connection"]
    if not isinstance(given, dict) or not isinstance(given.get("name"), str) or set(given) - {"name", "as", "header"}:
        yield Problem("/connection", "config", "must be {name, as: bearer|basic|header, header}")
        return
    if given.get("as", "bearer") not in ("bearer", "basic", "header"):
        yield Problem("/connection/as", "config", "must be bearer, basic or header")
    if (given.get("as") == "header") != ("header" in given):
        yield Problem("/connection/header", "config", "goes with as: header, and only with it")
    elif "header" in given and not (isinstance(given["header"], str) and HEADER.fullmatch(given["header"])):
        yield Problem("/connection/header", "config", "is not a header name")


def _check_answer(config: Mapping[str, Any]) -> Iterator[Problem]:
    if config.get("response", "content") not in ("content", "response"):
        yield Problem("/response", "config", "must be content or response")
    success = config.get("success", ["2xx"])
    if not isinstance(success, list) or not success or not all(STATUS.fullmatch(str(one)) for one in success):
        yield Problem("/success", "config", 'must be a list of statuses such as ["2xx", 404]')
    errors = config.get("errors", {})
    if not isinstance(errors, dict):
        yield Problem("/errors", "config", 'must be an object such as {"409": {"code": "exists", "retryable": false}}')
        return
    for status, rule in errors.items():
        if not STATUS.fullmatch(status) or not _is_rule(rule):
            yield Problem("/errors" + pointer([status]), "config", "must map a status to {code, retryable}")


def _is_rule(rule: Any) -> bool:
    return (
        isinstance(rule, dict)
        and bool(rule)
        and not set(rule) - {"code", "retryable"}
        and (isinstance(rule.get("code", "x"), str) and CODE.fullmatch(rule.get("code", "x")) is not None)
        and isinstance(rule.get("retryable", False), bool)
    )


def _url(template: str, value: Any) -> str:
    def fill(match: re.Match[str]) -> str:
        found = templates.as_text(templates.lookup(value, match[1]))
        if found in ("", ".", ".."):
            raise ActionError("invalid_url", f"the field {match[1]} of the URL is {found!r}", retryable=False)
        return quote(found, safe="")

    return URL_FIELD.sub(fill, template)


def _headers(config: Mapping[str, Any], value: Any) -> dict[str, str]:
    return {name: templates.render(part, value) for name, part in config.get("headers", {}).items()}


def _query(config: Mapping[str, Any], value: Any) -> dict[str, Any]:
    rendered = templates.render_value(config.get("query", {}), value)
    return {
        name: [templates.as_text(one) for one in part] if isinstance(part, list) else templates.as_text(part)
        for name, part in rendered.items()
        if part is not None
    }


def _body(config: Mapping[str, Any], value: Any) -> tuple[bytes, str]:
    if "body" not in config and config["method"] not in guard.WITH_BODY:
        return b"", ""
    structure = templates.render_value(config["body"], value) if "body" in config else value
    if config.get("encoding", "json") == "form":
        fields = {name: templates.as_text(part) for name, part in structure.items() if part is not None}
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"
    return guard.json_bytes(structure), "application/json"


def _credentials(given: Mapping[str, Any] | None, url: str) -> dict[str, str]:
    """Return the header that carries the connection's secret, resolved at the last moment."""
    if given is None:
        return {}
    parts = secrets.use(given["name"], credentials.host_for_secrets(url))
    try:
        return _authorization(given, parts)
    except KeyError as error:
        raise ActionError(
            "secret_refused", f"the secret of {given['name']!r} has no part {error}", retryable=False
        ) from None


def _authorization(given: Mapping[str, Any], parts: Mapping[str, str]) -> dict[str, str]:
    how = given.get("as", "bearer")
    if how == "basic":
        return {"Authorization": credentials.basic(parts["username"], parts["password"])}
    return {given["header"]: parts["token"]} if how == "header" else {"Authorization": f"Bearer {parts['token']}"}


def _matches(status: int, rules: list[Any]) -> bool:
    return any(str(rule) in (str(status), f"{status // 100}xx") for rule in rules)
