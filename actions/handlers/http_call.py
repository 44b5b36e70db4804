"""`call: http` of the workflow language: one request, described by the arguments of the call.

    method    get, post, ...                        endpoint   a URI, a URI template, or {uri, authentication}
    headers   {name: text}                          query      {name: text, number or list}
    body      any; JSON unless Content-Type says    output     content (default), response or raw
    redirect  true: a 3xx is a result, not an error; it is never followed

`$variables`, which the worker adds, are the values for a URI template.
"""

from typing import Any

from actions.context import Context
from actions.handlers import calling

VARIABLES = "$variables"
SCHEMA = {
    "type": "object",
    "properties": {
        "method": calling.TEXT,
        "endpoint": calling.ENDPOINT,
        "headers": {"type": "object"},
        "query": {"type": "object"},
        "body": {},
        "output": calling.OUTPUT,
        "redirect": {"type": "boolean"},
        VARIABLES: {},
    },
    "required": ["method", "endpoint"],
    "additionalProperties": False,
}


def run(ctx: Context, config: dict[str, Any], value: Any) -> Any:
    """Send the request that the arguments describe; return what `output` asks for. Raises ActionError."""
    del config  # everything is in the arguments
    calling.check(SCHEMA, value)
    url, authentication = calling.endpoint(value["endpoint"], value.get(VARIABLES))
    headers, query = (value.get(side, {}) for side in ("headers", "query"))
    request = calling.Request(
        method=value["method"],
        url=url,
        headers={name: _header(name, part) for name, part in headers.items() if part is not None},
        query={name: calling.text_of(f"/query/{name}", part) for name, part in query.items() if part is not None},
        body=value.get("body"),
        authentication=authentication,
    )
    return calling.send(ctx, request, value.get("output", "content"), redirect=value.get("redirect", False))


def _header(name: str, value: Any) -> str:
    text = calling.text_of(f"/headers/{name}", value)
    return ", ".join(text) if isinstance(text, list) else text
