"""What a reader of the run list has on the screen, carried by the poller: so the server renews just what changed.

The ids of the rows, a short sign of what each row says, and the newest id of the first page. Rows stay where they are
even when they no longer fit the filter: nothing moves under a pointer.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from workflows import queries
from workflows.queries import RunRow

MOST_ROWS = 100
ID_BYTES, SIGN_LENGTH = 16, 6
TICK_SECONDS = 30  # how often durations of runs that go on are renewed although nothing else changed


@dataclass(frozen=True)
class Held:
    """The rows that a reader has; `first`: of the first page, above which newer ones are counted."""

    ids: tuple[UUID, ...]
    signs: tuple[str, ...]
    first: bool
    top: UUID | None

    @classmethod
    def of(cls, rows: Sequence[RunRow], *, first: bool, now: datetime) -> "Held":
        """Note the rows of a page that is being shown."""
        signs = tuple(_sign(row, now) for row in rows)
        return cls(tuple(row.id for row in rows), signs, first, rows[0].id if rows and first else None)

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Held":
        """Read what a poller carries; what cannot be read is nothing."""
        ids = _ids(query.get("rows", ""))
        text = query.get("h", "")
        signs = tuple(text[at : at + SIGN_LENGTH] for at in range(0, len(ids) * SIGN_LENGTH, SIGN_LENGTH))
        top = query.get("top")
        return cls(ids, signs, top is not None, ids[0] if ids and top is not None else None)

    @property
    def query(self) -> dict[str, str]:
        """Return what the next poll carries."""
        packed = base64.urlsafe_b64encode(b"".join(one.bytes for one in self.ids)).decode().rstrip("=")
        return {"rows": packed, "h": "".join(self.signs), **({"top": "1"} if self.first else {})}

    def token(self, news: int, now: datetime) -> str:
        """Return a text that changes when something on the screen would look different."""
        return f"{queries.signs(self.ids)[:16]}.{news}.{int(now.timestamp() // TICK_SECONDS)}"

    def changed(self, rows: Sequence[RunRow], now: datetime) -> list[RunRow]:
        """Return the rows that say something else than those on the screen."""
        known = dict(zip(self.ids, self.signs, strict=True))
        return [row for row in rows if known.get(row.id) != _sign(row, now)]

    def renewed(self, rows: Sequence[RunRow], now: datetime) -> "Held":
        """Return the same rows with what they say now; those that are gone keep their sign."""
        signs = dict(zip(self.ids, self.signs, strict=True)) | {row.id: _sign(row, now) for row in rows}
        return Held(self.ids, tuple(signs[one] for one in self.ids), self.first, self.top)


def _sign(row: RunRow, now: datetime) -> str:
    ticking = 0 if row.finished_at or row.rested_at else int(now.timestamp() // TICK_SECONDS)
    told = (row.label, row.now, row.steps_done, row.steps_open, row.steps_failed, row.finished_at, ticking)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:SIGN_LENGTH]


def _ids(text: str) -> tuple[UUID, ...]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ()
    whole = min(len(raw) // ID_BYTES, MOST_ROWS) * ID_BYTES
    return tuple(UUID(bytes=raw[at : at + ID_BYTES]) for at in range(0, whole, ID_BYTES))
