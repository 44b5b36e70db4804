"""CloudEvents over HTTP: structured, batched and binary requests, as the HTTP protocol binding 1.0.2 says."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from rest_framework.request import Request

from dotdo_site.lib import strict_json
from dotdo_site.lib.problems import BadRequest, NotTaken
from dotdo_site.lib.rest import check_charset
from workflows import cloudevents

STRUCTURED, BATCH, PLAIN = "application/cloudevents+json", "application/cloudevents-batch+json", "application/json"
TAKEN = (STRUCTURED, BATCH, PLAIN, "or any type with the attributes as ce- headers")
MAX_BATCH = 100
_PREFIX = "ce-"


def events_of(request: Request) -> tuple[list[Any], bool]:
    """Return what the request holds as envelopes, still to be checked, and whether they came as a batch.

    Raises BadJSON, TooLarge, BadRequest, NotTaken, UnsupportedMediaType.
    """
    media_type = _media_type(request)
    if media_type.startswith("multipart/"):
        raise NotTaken(media_type, TAKEN)  # reading the body as a form, to look for a CSRF token, has used it up
    if media_type not in {STRUCTURED, BATCH} and _PREFIX + "specversion" in _names(request.headers):
        return [_binary(request, media_type)], False
    if media_type not in {STRUCTURED, BATCH, PLAIN}:
        raise NotTaken(media_type, TAKEN)
    check_charset(request.content_type or "")
    value = strict_json.loads(request.body)
    return (_batch(value), True) if media_type == BATCH else ([value], False)


def _batch(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest("a batch is a list of CloudEvents")
    if len(value) > MAX_BATCH:
        raise BadRequest(f"a batch has at most {MAX_BATCH} events; this one has {len(value)}")
    return value


def _binary(request: Request, media_type: str) -> dict[str, Any]:
    """Return the envelope whose attributes are headers and whose data is the body."""
    event: dict[str, Any] = {
        name.lower().removeprefix(_PREFIX): _header(value)
        for name, value in request.headers.items()
        if name.lower().startswith(_PREFIX)
    }
    if request.content_type:
        event["datacontenttype"] = request.content_type
    return event | data_of(media_type, request.body)


def data_of(media_type: str, body: bytes) -> dict[str, Any]:
    """Return a body as `data` or `data_base64` of an envelope, by its media type. Raises BadJSON, TooLarge."""
    if len(body) > cloudevents.MAX_BYTES:
        raise strict_json.TooLarge(f"the body is longer than {cloudevents.MAX_BYTES} bytes")
    if not body:
        return {}
    if media_type.endswith(("/json", "+json")):
        return {"data": strict_json.loads(body)}
    if media_type.startswith("text/"):
        return {"data": _text(body)}
    return {"data_base64": base64.b64encode(body).decode()}


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: byte {error.start} cannot be decoded") from None


def _header(value: str) -> str:
    """Return the value of an attribute, which is percent-encoded where it is not printable ASCII."""
    return unquote(value.strip().strip('"'), errors="replace")


def _names(headers: Mapping[str, str]) -> set[str]:
    return {name.lower() for name in headers}


def _media_type(request: Request) -> str:
    return (request.content_type or "").partition(";")[0].strip().lower()
