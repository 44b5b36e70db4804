"""Compute every chain again and name the first link that is not what was written."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q

from audit.formulas import GENESIS, link_hash
from audit.models import AuditEvent

CHUNK = 5_000
# In the data of an event: other chains, each with the number and the hash (hex) of a link that it had at that moment.
VOUCHED = "branches"


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
    vouched: dict[uuid.UUID, tuple[int, bytes]] = {}
    for event in _events(chain):
        result.events += 1
        vouched |= _vouched(event)
        if event.chain in bad:
            continue
        why = _fault(event, result.heads.get(event.chain))
        if why:
            bad.add(event.chain)
            result.broken.append(Broken(event.chain, event.seq, why))
        result.heads[event.chain] = (event.seq, bytes(event.hash))
    result.broken += [found for found in _not_as_vouched(vouched) if found.chain not in bad]
    return result


def _vouched(event: AuditEvent) -> dict[uuid.UUID, tuple[int, bytes]]:
    """Return the links of other chains that an event vouches for."""
    if f'"{VOUCHED}":' not in event.data:
        return {}
    links = json.loads(event.data).get(VOUCHED, {})
    return {uuid.UUID(chain): (seq, bytes.fromhex(link)) for chain, (seq, link) in links.items()}


def _not_as_vouched(vouched: dict[uuid.UUID, tuple[int, bytes]]) -> Iterator[Broken]:
    """Yield the links that are gone, or are not those that another chain vouches for."""
    chains = list(vouched)
    for start in range(0, len(chains), CHUNK):
        part = {chain: vouched[chain] for chain in chains[start : start + CHUNK]}
        rows = AuditEvent.objects.filter(chain__in=part).values_list("chain", "seq", "hash")
        found = {chain: bytes(link) for chain, seq, link in rows if part[chain][0] == seq}
        for chain, (seq, link) in part.items():
            if found.get(chain) != link:
                yield Broken(chain, seq, "it is not the link that the chain behind its fork vouches for")


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
