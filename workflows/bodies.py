"""What a webhook sends, as the data of an event: JSON, a form, or text."""

from typing import Any
from urllib.parse import parse_qsl

from dotdo_site.lib import strict_json
from dotdo_site.lib.problems import NotTaken
from dotdo_site.lib.strict_json import BadJSON

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TAKEN = (JSON, FORM, "text/plain")
MAX_FIELDS = 1_000


def content(content_type: str, body: bytes, *, unpack: bool = False) -> dict[str, Any]:
    """Return `data` and `datacontenttype` of an envelope; nothing for an empty body. Raises BadJSON, NotTaken.

    A form becomes an object; `unpack` takes the JSON text in its field `payload` instead, as GitHub sends it. What says
    nothing about itself, or is no form and no text, has to be JSON.
    """
    if not body:
        return {}
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == FORM:
        fields = _fields(body)
        if unpack and isinstance(fields.get("payload"), str):
            return _json(fields["payload"].encode())
        return {"data": fields, "datacontenttype": FORM}
    if media_type.startswith("text/"):
        return {"data": _text(body), "datacontenttype": media_type}
    if media_type.startswith("multipart/"):
        raise NotTaken(media_type, TAKEN)
    return _json(body) if media_type in {"", JSON} or media_type.endswith("+json") else _perhaps_json(media_type, body)


def _perhaps_json(media_type: str, body: bytes) -> dict[str, Any]:
    """Take JSON that is sent under another name, and nothing else."""
    try:
        return _json(body)
    except BadJSON:
        raise NotTaken(media_type, TAKEN) from None


def _json(body: bytes) -> dict[str, Any]:
    return {"data": strict_json.loads(body), "datacontenttype": JSON}


def _fields(body: bytes) -> dict[str, Any]:
    """Return the fields of a form; one that comes several times becomes a list."""
    try:
        pairs = parse_qsl(_text(body), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise BadJSON(f"the body is no form in UTF-8 of at most {MAX_FIELDS} fields") from None
    found: dict[str, Any] = {}
    for name, value in pairs:
        if "\x00" in name + value:
            raise BadJSON("a field contains the NUL character")
        found[name] = _added(found[name], value) if name in found else value
    return found


def _added(known: Any, value: str) -> list[str]:
    return [*known, value] if isinstance(known, list) else [known, value]


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadJSON(f"not UTF-8: byte {error.start} cannot be decoded") from None
    if "\x00" in text:
        raise BadJSON("the text contains the NUL character")
    return text
