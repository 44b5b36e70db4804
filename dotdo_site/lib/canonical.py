"""Canonical JSON: one text for one value, so that digests and hash chains can be computed again anywhere."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _prepared() -> Callable[[Any, int], Any] | None:
    """Return what `_ENCODER.encode` makes anew for each call: a third of the time for a small value.

    Without its notes of what it is inside of: a value inside itself ends as a RecursionError. None where the
    interpreter has no encoder in C.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    text = getattr(json.encoder, "encode_basestring_ascii", None)
    return make and make(None, _ENCODER.default, text, None, ":", ",", True, False, False)


_encode = _prepared()


def dumps(value: Any) -> str:
    """Return `value` as JSON with sorted keys, no spaces and plain ASCII. Raises ValueError for NaN and Infinity."""
    if _encode is None:
        return _ENCODER.encode(value)
    try:
        return "".join(_encode(value, 0))
    except RecursionError:
        return _ENCODER.encode(value)  # which says what is wrong with it


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical text, 64 hex digits."""
    return digest_of(dumps(value))


def digest_of(text: str) -> str:
    """Return the SHA-256 of a canonical text, 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()
