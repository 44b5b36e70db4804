"""Canonical JSON: one text for one value, so that digests and hash chains can be computed again anywhere."""

import hashlib
import json
from typing import Any


def dumps(value: Any) -> str:
    """Return `value` as JSON with sorted keys, no spaces and plain ASCII. Raises ValueError for NaN and Infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical text, 64 hex digits."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()
