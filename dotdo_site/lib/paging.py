"""Keyset cursors: where a page of a list begins or ends, as a text that a client hands back unchanged.

A cursor holds the sort key of a row and nothing secret, so it is not signed: a made-up one can only ask for a page
that the caller may see anyway. Whatever cannot be read is refused with one error.
"""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

MAX_LENGTH = 1_000


class BadCursor(ValueError):
    """The cursor cannot be read: leave it out to begin at the first page."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def encode(*key: object) -> str:
    """Return the cursor of a sort key made of texts, integers, UUIDs and datetimes."""
    raw = json.dumps([_text(part) for part in key], separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(cursor: str, *kinds: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Return the sort key, each part read by its kind, such as `UUID`, `str` or `int`. Raises BadCursor."""
    try:
        parts = _parts(cursor)
        if len(parts) != len(kinds):
            raise BadCursor
        return tuple(kind(_clean(part)) for kind, part in zip(kinds, parts, strict=True))
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        raise BadCursor from None


def _parts(cursor: str) -> list[str]:
    if len(cursor) > MAX_LENGTH:
        raise BadCursor
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise BadCursor from None
    parts = json.loads(raw.decode("utf-8"))
    if not isinstance(parts, list):
        raise BadCursor
    return parts


def _clean(part: object) -> str:
    if not isinstance(part, str) or "\x00" in part:
        raise BadCursor
    part.encode("utf-8")
    return part


def _text(part: object) -> str:
    if isinstance(part, datetime):
        return part.isoformat()
    if isinstance(part, UUID):
        return part.hex
    return str(part)
