"""Compute every chain again and name the first link that is not what was written."""

import uuid
from dataclasses import dataclass

from audit.models import AuditEvent
from audit.recording import GENESIS, link_hash


@dataclass(frozen=True, slots=True)
class Broken:
    """The first bad link of a chain."""

    chain: uuid.UUID
    seq: int
    why: str


@dataclass(slots=True)
class Verified:
    """What a verification read and found. `heads` holds the last (seq, hash) of each chain."""

    events: int
    broken: list[Broken]
    heads: dict[uuid.UUID, tuple[int, bytes]]


def verify(chain: uuid.UUID | None = None) -> Verified:
    """Verify one chain, or all of them, oldest link first."""
    rows = AuditEvent.objects.order_by("chain", "seq")
    if chain is not None:
        rows = rows.filter(chain=chain)
    result = Verified(0, [], {})
    bad: set[uuid.UUID] = set()
    for event in rows.iterator(chunk_size=5_000):
        result.events += 1
        if event.chain in bad:
            continue
        why = _fault(event, result.heads.get(event.chain))
        if why:
            bad.add(event.chain)
            result.broken.append(Broken(event.chain, event.seq, why))
        result.heads[event.chain] = (event.seq, bytes(event.hash))
    return result


def _fault(event: AuditEvent, head: tuple[int, bytes] | None) -> str:
    last, previous = head or (-1, GENESIS)
    if event.seq != last + 1:
        return f"link {last + 1} is missing"
    expected = link_hash(previous, event.chain, event.seq, event.kind, event.actor, event.reason, event.at, event.data)
    return "" if expected == bytes(event.hash) else "the hash does not fit the row: it was changed after it was written"
