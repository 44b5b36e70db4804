"""Values over 4 kB are stored once per run and referred to by digest; smaller ones stay where they are used."""

import json
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dotdo_site.lib import canonical
from workflows.engine.frames import DATA_CELLS
from workflows.models import Payload

INLINE_BYTES = 4_096
REFERENCE = "$payload"
_REMEMBERED = 1_024
_REMEMBERED_BYTES = 64 << 20  # of JSON text, so that a worker does not grow by what it has seen
_stored: "OrderedDict[tuple[uuid.UUID, str], None]" = OrderedDict()  # what this process has seen committed
_SCALARS, _SHORT = frozenset({type(None), bool, int, float}), 500
_LAST_TEXTS, _LAST_TEXTS_BYTES = 1_024, 4 << 20


class _Texts(dict[int, tuple[Any, str]]):
    """The values that were written last, with their texts, by identity."""

    size = 0

    def add(self, value: Any, text: str) -> None:
        """Remember a text; when there are too many, all others are forgotten."""
        self.size += len(text)
        if len(self) >= _LAST_TEXTS or self.size > _LAST_TEXTS_BYTES:
            self.clear()
            self.size = len(text)
        self[id(value)] = (value, text)


class _Digests(OrderedDict[int, tuple[Any, str, int]]):
    """Large values with their digests and the length of their texts, by identity; the oldest are forgotten."""

    size = 0

    def add(self, value: Any, digest: str, length: int) -> None:
        """Remember a digest."""
        self[id(value)] = (value, digest, length)
        self.size += length
        while len(self) > 1 and (len(self) > _REMEMBERED or self.size > _REMEMBERED_BYTES):
            self.size -= self.popitem(last=False)[1][2]


_texts, _digests = _Texts(), _Digests()


def text_of(value: Any) -> str:
    """Return the canonical text of a value that nobody changes.

    The output of a step, say, is written to its row, as a digest into the audit trail, and into the cursor; often it is
    the input of the next step as well. It becomes a text once.
    """
    if _small(value):
        return canonical.dumps(value)
    known = _texts.get(id(value))
    if known is not None and known[0] is value:
        return known[1]
    text = canonical.dumps(value)
    _texts.add(value, text)
    return text


def digest_of(value: Any) -> str:
    """Return the SHA-256 of the canonical text of a value that nobody changes, 64 hex digits."""
    known = _digests.get(id(value))
    return known[1] if known is not None and known[0] is value else _digest(value, text_of(value))


def _digest(value: Any, text: str) -> str:
    digest = canonical.digest_of(text)
    if len(text) > INLINE_BYTES:
        _digests.add(value, digest, len(text))
    return digest


class Packer:
    """Turns values into JSON texts for rows, and collects the payload rows that must be written with them.

    A large value that a loop carries along is hashed once, and written once: `kept` says that it is committed.
    """

    def __init__(self, run: uuid.UUID | None = None) -> None:
        self.run = run
        self.payloads: dict[str, str] = {}

    def pack(self, value: Any) -> str:
        """Return the JSON text to store for `value`: itself, or a reference to a payload."""
        reference = self._stored(value)
        if reference is not None:
            return canonical.dumps(reference)
        text = text_of(value)
        return text if is_inline(value, text) else canonical.dumps(self._refer(value, text))

    def cursor(self, cursor: dict[str, Any]) -> str:
        """Return the JSON text of an engine cursor, its data cells replaced by references where they are large."""
        frames = cursor.get("frames", ())
        if "branch" in cursor:
            return canonical.dumps(map_cells(cursor, self.reference))
        if frames or "ending" in cursor:
            return canonical.dumps({**cursor, "frames": [self._frame(frame) for frame in frames]})
        return "{}"

    def reference(self, value: Any) -> Any:
        """Return what `pack` would store, as a value: for data inside a cursor."""
        if _small(value):
            return value
        reference = self._stored(value)
        if reference is not None:
            return reference
        text = text_of(value)
        return value if is_inline(value, text) else self._refer(value, text)

    def _frame(self, frame: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a frame, copied only where a cell is large."""
        found = frame
        for name, part in frame.items():
            if name in DATA_CELLS and (stored := self.reference(part)) is not part:
                found = {**found, name: stored}
        return found

    def kept(self) -> None:
        """Remember that the collected payloads are committed."""
        for digest in self.payloads if self.run else ():
            _remember(_stored, (self.run, digest), None)

    def _stored(self, value: Any) -> dict[str, str] | None:
        """Return the reference to a large value that was written before."""
        known = _digests.get(id(value))
        if known is not None and known[0] is value and (self.run, known[1]) in _stored:
            return {REFERENCE: known[1]}
        return None

    def _refer(self, value: Any, text: str) -> dict[str, str]:
        digest = digest_of(value)
        if (self.run, digest) not in _stored:
            self.payloads[digest] = text
        return {REFERENCE: digest}


def store(run: uuid.UUID, packer: Packer) -> None:
    """Write the payloads that a packer collected, in the caller's transaction."""
    rows = [Payload(run_id=run, digest=digest, value=json.loads(text)) for digest, text in packer.payloads.items()]
    Payload.objects.bulk_create(rows, ignore_conflicts=True)


def _remember(memory: "OrderedDict[Any, Any]", key: Any, value: Any) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)


def map_cells(cursor: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a cursor with each of its data cells changed."""
    result = dict(cursor)
    result["frames"] = [
        {name: change(part) if name in DATA_CELLS else part for name, part in frame.items()}
        for frame in cursor.get("frames", [])
    ]
    if "branch" in cursor:
        result["branch"] = {**cursor["branch"], "raw": change(cursor["branch"]["raw"])}
    if "vars" in cursor:
        result["vars"] = {name: change(value) for name, value in cursor["vars"].items()}
    return result


def is_inline(value: Any, text: str) -> bool:
    """Tell whether a value, of which this is the canonical text, is stored where it is used."""
    return len(text) <= INLINE_BYTES and not is_reference(value)


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
    cells: list[Any] = []
    map_cells(cursor, cells.append)
    return cells


def resolve_cursor(cursor: Mapping[str, Any], payloads: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored cursor with its data cells resolved."""
    return map_cells(cursor, lambda part: resolve(part, payloads))


def _small(value: Any) -> bool:
    kind = type(value)
    return kind in _SCALARS or (kind is str and len(value) < _SHORT)
