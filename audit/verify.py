"""Compute every chain again and name the first link that is not what was written."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q

from audit.models import AuditEvent
from audit.recording import GENESIS, link_hash

CHUNK = 5_000


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
    result = Verified(0, [], {})
    bad: set[uuid.UUID] = set()
    for event in _events(chain):
        result.events += 1
        if event.chain in bad:
            continue
        why = _fault(event, result.heads.get(event.chain))
        if why:
            bad.add(event.chain)
            result.broken.append(Broken(event.chain, event.seq, why))
        result.heads[event.chain] = (event.seq, bytes(event.hash))
    return result


def _events(chain: uuid.UUID | None) -> Iterator[AuditEvent]:
    """Yield the events by chain and number, a few thousand at a time in memory."""
    rows = AuditEvent.objects.order_by("chain", "seq")
    if chain is not None:
        rows = rows.filter(chain=chain)
    page = list(rows[:CHUNK])
    while page:
        yield from page
        last = page[-1]
        rest = rows.filter(Q(chain__gt=last.chain) | Q(seq__gt=last.seq), chain__gte=last.chain)
        page = list(rest[:CHUNK])


def _fault(event: AuditEvent, head: tuple[int, bytes] | None) -> str:
    last, previous = head or (-1, GENESIS)
    if event.seq != last + 1:
        return f"link {last + 1} is missing"
    expected = link_hash(previous, event.chain, event.seq, event.kind, event.actor, event.reason, event.at, event.data)
    return "" if expected == bytes(event.hash) else "the hash does not fit the row: it was changed after it was written"
