"""Values over 4 kB are stored once per run and referred to by digest; smaller ones stay where they are used."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from dotdo_site.lib import canonical
from workflows.models import Payload

INLINE_BYTES = 4_096
REFERENCE = "$payload"
DATA_CELLS = frozenset({"raw", "in", "out"})


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

    def cursor(self, cursor: dict[str, Any]) -> str:
        """Return the JSON text of an engine cursor, its data cells replaced by references where they are large."""
        frames = [
            {name: self.reference(part) if name in DATA_CELLS else part for name, part in frame.items()}
            for frame in cursor.get("frames", [])
        ]
        return canonical.dumps({**cursor, "frames": frames} if frames else {})

    def reference(self, value: Any) -> Any:
        """Return what `pack` would store, as a value: for data inside a cursor."""
        return value if _small(value) else json.loads(self.pack(value))


def is_reference(value: Any) -> bool:
    """Tell whether a stored value stands for a payload (a user's value of this shape is always stored as one)."""
    return isinstance(value, dict) and len(value) == 1 and REFERENCE in value


def resolve(value: Any, payloads: Mapping[str, Any]) -> Any:
    """Return the value that `value` stands for. Raises KeyError when its payload was not loaded."""
    return payloads[value[REFERENCE]] if is_reference(value) else value


def load(run: uuid.UUID, values: Iterable[Any]) -> dict[str, Any]:
    """Return the payloads of a run that the stored `values` stand for, by digest."""
    wanted = digests(*values)
    if not wanted:
        return {}
    return dict(Payload.objects.filter(run=run, digest__in=wanted).values_list("digest", "value"))


def digests(*values: Any) -> set[str]:
    """Return the digests that the stored `values` stand for."""
    return {value[REFERENCE] for value in values if is_reference(value)}


def cursor_cells(cursor: Mapping[str, Any]) -> list[Any]:
    """Return the data cells of a stored cursor, as stored."""
    return [frame[name] for frame in cursor.get("frames", []) for name in DATA_CELLS & frame.keys()]


def resolve_cursor(cursor: Mapping[str, Any], payloads: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored cursor with its data cells resolved."""
    frames = [
        {name: resolve(part, payloads) if name in DATA_CELLS else part for name, part in frame.items()}
        for frame in cursor.get("frames", [])
    ]
    return {**cursor, "frames": frames}


def _small(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) < 500)
