"""Values over 4 kB are stored once per run and referred to by digest; smaller ones stay where they are used."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dotdo_site.lib import canonical

INLINE_BYTES = 4_096
REFERENCE = "$payload"


class Packer:
    """Turns values into JSON texts for rows, and collects the payload rows that must be written with them."""

    def __init__(self) -> None:
        self.payloads: dict[str, str] = {}

    def pack(self, value: Any) -> str:
        """Return the JSON text to store for `value`: itself, or a reference to a payload."""
        text = canonical.dumps(value)
        if len(text) <= INLINE_BYTES and not is_reference(value):
            return text
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.payloads[digest] = text
        return f'{{"{REFERENCE}":"{digest}"}}'

    def reference(self, value: Any) -> Any:
        """Return what `pack` would store, as a value: for data inside a cursor."""
        return value if _small(value) else json.loads(self.pack(value))


def is_reference(value: Any) -> bool:
    """Tell whether a stored value stands for a payload (a user's value of this shape is always stored as one)."""
    return isinstance(value, dict) and len(value) == 1 and REFERENCE in value


def resolve(value: Any, payloads: Mapping[str, Any]) -> Any:
    """Return the value that `value` stands for. Raises KeyError when its payload was not loaded."""
    return payloads[value[REFERENCE]] if is_reference(value) else value


def digests(*values: Any) -> set[str]:
    """Return the digests that the stored `values` refer to, at any depth of lists and objects."""
    found: set[str] = set()
    stack = list(values)
    while stack:
        value = stack.pop()
        if is_reference(value):
            found.add(value[REFERENCE])
        elif isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return found


def _small(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) < 500)
