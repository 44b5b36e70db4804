"""The published limits of one JSON value, and what no JSON value in the database may contain."""

import json
import math
from collections.abc import Iterable
from typing import Any

from actions.problems import Problem, pointer

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_KEYS = 5_000
MAX_INTEGER = 2**53 - 1
_UNSURE = MAX_BYTES + 1
_ESCAPED = len("\\u0000")  # what JSON makes of one character at most


def check_value(value: Any) -> list[Problem]:
    """Return why a value cannot be stored: not JSON, NaN, NUL, a lone surrogate, too deep, too large. Never raises."""
    return [] if _most_bytes(value, MAX_DEPTH) <= MAX_BYTES else _look_closely(value)


def storable(text: str) -> str:
    """Return the text without what jsonb refuses: NUL and lone surrogates become U+FFFD."""
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _most_bytes(item: Any, levels: int) -> int:
    """Return a size that a plain value surely does not exceed as JSON; too much for one that must be looked at closely.

    Nearly every value is small and made of the JSON types themselves: this is all that such a one costs.
    """
    kind = type(item)
    if kind is str:
        return _ESCAPED * len(item) + 2 if item.isascii() and "\x00" not in item else _most_bytes_of_text(item)
    if kind is int:
        return 17 if -MAX_INTEGER <= item <= MAX_INTEGER else _UNSURE
    if item is None or kind is bool:
        return 5
    if kind is float:
        return 24 if math.isfinite(item) else _UNSURE
    return _most_bytes_within(item, levels) if levels and kind in (dict, list) else _UNSURE


def _most_bytes_of_text(item: str) -> int:
    return _UNSURE if _text_reason(item) else _ESCAPED * len(item) + 2


def _most_bytes_within(item: dict[Any, Any] | list[Any], levels: int) -> int:
    """Count a container: two bytes around it, and two beside each of its parts."""
    size = 2
    parts: Iterable[Any] = item
    if isinstance(item, dict):
        if len(item) > MAX_KEYS:
            return _UNSURE
        for key in item:
            size += _most_bytes(key, 0) + 1 if type(key) is str else _UNSURE
        parts = item.values()
    for part in parts:
        size += _most_bytes(part, levels - 1) + 1
        if size > MAX_BYTES:
            break
    return size


def _look_closely(value: Any) -> list[Problem]:
    found: list[Problem] = []
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while stack and len(found) < 20:
        path, item = stack.pop()
        reason = _reason(item, len(path))
        if reason:
            found.append(Problem(pointer(path), *reason))
        elif isinstance(item, dict):
            stack.extend(((*path, key), part) for key, part in item.items())
        elif isinstance(item, list):
            stack.extend(((*path, index), part) for index, part in enumerate(item))
    return found or _too_large(value)


def _reason(item: Any, depth: int) -> tuple[str, str] | None:
    if item is None or isinstance(item, bool):
        return None
    if isinstance(item, str):
        return _text_reason(item)
    if isinstance(item, int):
        return None if abs(item) <= MAX_INTEGER else ("integer", "is beyond 2^53 - 1: pass it as a string")
    if isinstance(item, float):
        return None if math.isfinite(item) else ("number", "is NaN or infinite, which JSON does not have")
    if isinstance(item, dict | list):
        return _container_reason(item, depth)
    return "type", f"is a {type(item).__name__}, which is not a JSON value"


def _text_reason(item: str) -> tuple[str, str] | None:
    if "\x00" in item:
        return "characters", "contains a NUL character"
    try:
        item.encode()
    except UnicodeEncodeError:
        return "characters", "contains half of a surrogate pair"
    return None


def _container_reason(item: dict[Any, Any] | list[Any], depth: int) -> tuple[str, str] | None:
    if depth >= MAX_DEPTH:
        return "depth", f"is nested deeper than {MAX_DEPTH} levels"
    if isinstance(item, list):
        return None
    if len(item) > MAX_KEYS:
        return "keys", f"has {len(item)} keys; {MAX_KEYS} are allowed"
    for key in item:
        if not isinstance(key, str):
            return "type", f"has a key of type {type(key).__name__}; JSON keys are strings"
        if reason := _text_reason(key):
            return reason[0], f"has a key that {reason[1]}"
    return None


def _too_large(value: Any) -> list[Problem]:
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    return [Problem("", "size", f"is {size} bytes long; {MAX_BYTES} are allowed")] if size > MAX_BYTES else []
