"""CloudEvents 1.0: what one may look like here. Nothing else in dotdo has an opinion on envelopes.

Source: CloudEvents 1.0.2, "Context Attributes" and the JSON event format; the sizes are ours, except the 64 KiB that
every implementation must forward, of which we take four times as much.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from actions.limits import check_value
from actions.problems import Problem

MAX_BYTES = 256 * 1024
VERSION = "1.0"
DATA = ("data", "data_base64")
_NAME = re.compile(r"[a-z0-9]{1,20}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+*-]+/[\w!#$&^.+*-]+(\s*;.*)?", re.ASCII)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INT32 = 2**31


def problems(event: Any) -> list[Problem]:
    """Return everything that keeps a value from being a CloudEvent that we take."""
    if not isinstance(event, Mapping):
        return [Problem("", "type", "must be an object: a CloudEvent")]
    found = check_value(event)
    if found:
        return found
    found = [problem for name, value in event.items() for problem in _attribute(name, value)]
    found += [Problem(f"/{name}", "required", "is required") for name in REQUIRED if event.get(name) is None]
    if event.get("data") is not None and event.get("data_base64") is not None:
        found.append(Problem("/data_base64", "data", "must not be there beside data: send one of them"))
    size = len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_BYTES:
        found.append(Problem("", "size", f"is {size} bytes long; {MAX_BYTES} are allowed"))
    return found


def tidy(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event without attributes that are null, which means absent in the JSON format."""
    return {name: value for name, value in event.items() if value is not None or name == "data"}


def _attribute(name: str, value: Any) -> list[Problem]:
    if value is None or name == "data":
        return []
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    if name not in DATA and not _NAME.fullmatch(name):
        return [Problem(pointer, "name", "is not the name of an attribute: 1 to 20 small letters and digits")]
    why = RULES.get(name, _extension)(value)
    return [Problem(pointer, "attribute", why)] if why else []


def _text(longest: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not value:
            return "must be a text that is not empty"
        if len(value) > longest:
            return f"is {len(value)} characters long; {longest} are allowed"
        return "must not contain control characters" if _CONTROL.search(value) else ""

    return check


def _source(value: Any) -> str:
    wrong = _text(500)(value)
    return wrong or ("must be a URI reference, without spaces" if re.search(r"\s", value) else "")


def _version(value: Any) -> str:
    return "" if value == VERSION else f'must be "{VERSION}"'


def _time(value: Any) -> str:
    wrong = "must be a time by RFC 3339, such as 2026-01-31T12:00:00Z"
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return wrong
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return wrong
    return ""


def _media_type(value: Any) -> str:
    good = isinstance(value, str) and len(value) <= 255 and _MEDIA_TYPE.fullmatch(value)
    return "" if good else "must be a media type, such as application/json"


def _schema(value: Any) -> str:
    good = isinstance(value, str) and len(value) <= 500 and _ABSOLUTE.fullmatch(value)
    return "" if good else "must be an absolute URI"


def _base64(value: Any) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return "must be base64"
    return ""


def _extension(value: Any) -> str:
    if isinstance(value, bool) or (isinstance(value, int) and -_INT32 <= value < _INT32):
        return ""
    return "" if isinstance(value, str) else "must be a text, a boolean or an integer of 32 bits"


REQUIRED = ("specversion", "id", "source", "type")
RULES: Mapping[str, Callable[[Any], str]] = {
    "specversion": _version,
    "id": _text(255),
    "source": _source,
    "type": _text(255),
    "subject": _text(255),
    "time": _time,
    "datacontenttype": _media_type,
    "dataschema": _schema,
    "data_base64": _base64,
}
