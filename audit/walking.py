"""Walk a range of chains and compute every link again. It needs no Django, so that each core can walk a range.

Links come in the order of chain and number, a page at a time. Beside them go the heads that seals know and the
tombstones, in the same order, so that a chain is held against both without keeping it.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Any

import psycopg

from audit.formulas import GENESIS, RUN

CHUNK = 5_000
MOST_BROKEN = 1_000
# In the data of an event: other chains, each with the number and the hash (hex) of a link that it had at that moment.
VOUCHED = "branches"
_VOUCHES, _SAYS_RUN = f'"{VOUCHED}":', f'"{RUN}":'
# The chain of a run begins with one of these; others are about things that several runs touch.
OF_ONE_RUN = ("run.started", "branch.opened")
_UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError)
_LONGEST = 2**31
# A time that only PostgreSQL knows, such as infinity, comes as none: its link is bad, and the others are looked at.
_LINKS = """
    SELECT uuid_send(chain), seq, id, kind, actor, reason, CASE
        WHEN at BETWEEN '0001-01-02Z' AND '9999-12-30Z' THEN at AT TIME ZONE 'UTC' END, data, hash, uuid_send(run)
    FROM audit_event WHERE (chain, seq) > (%s::uuid, %s) AND chain <= %s::uuid ORDER BY chain, seq LIMIT %s
"""
_SEALED = """
    SELECT uuid_send(chain), seq, hash, seal_id FROM audit_sealed_head
    WHERE (chain, seq) > (%s::uuid, %s) AND chain <= %s::uuid AND seal_id <= %s ORDER BY chain, seq LIMIT %s
"""
_GRAVES = """
    SELECT uuid_send(chain), seq, hash FROM audit_tombstone
    WHERE (chain, seq) > (%s::uuid, %s) AND chain <= %s::uuid ORDER BY chain LIMIT %s
"""
_VOUCHED_LINKS = """
    SELECT v.position, coalesce(e.hash, t.hash)
    FROM unnest(%s::uuid[], %s::int[]) WITH ORDINALITY AS v (chain, seq, position)
    LEFT JOIN audit_event e ON e.chain = v.chain AND e.seq = v.seq
    LEFT JOIN audit_tombstone t ON t.chain = v.chain AND t.seq = v.seq
"""

FIRST, LAST = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)
Connection = psycopg.Connection[tuple[Any, ...]]
Row = tuple[Any, ...]
Head = tuple[int, bytes, int]


@dataclass(frozen=True, slots=True)
class Broken:
    """The first bad link of a chain."""

    chain: uuid.UUID
    seq: int
    why: str

    def __str__(self) -> str:
        return f"chain {self.chain}, link {self.seq}: {self.why}"


@dataclass(frozen=True, slots=True)
class Part:
    """The chains from `low` to `high`; seals up to number `seal`, the last of which has `horizon`."""

    low: uuid.UUID = FIRST
    high: uuid.UUID = LAST
    seal: int = -1
    horizon: int = 0


@dataclass(slots=True)
class Walked:
    """What a walk read and found: of very many broken chains, the first ones; `head` ends the last chain."""

    events: int = 0
    chains: int = 0
    broken: list[Broken] = field(default_factory=list)
    unvouched: list[Broken] = field(default_factory=list)
    head: tuple[int, bytes] | None = None

    def note(self, chain: bytes, seq: int, why: str) -> None:
        """Remember a broken link."""
        if len(self.broken) < MOST_BROKEN:
            self.broken.append(Broken(uuid.UUID(bytes=chain), seq, why))


class _Chain:
    """One chain under way: what its next link must be."""

    __slots__ = ("bad", "covered", "head", "heads", "name", "next", "run", "single")

    def __init__(self, name: bytes, heads: list[Head]) -> None:
        self.name, self.next, self.head, self.bad = name, 0, GENESIS, False
        self.heads, self.covered = heads, heads[-1][0] if heads else -1
        self.run: bytes | None = None
        self.single = False


def verified(connection: Connection, part: Part) -> Walked:
    """Verify the chains of a part.

    What was found broken is looked at again: a chain may be pruned between its first page and its tombstone's.
    """
    found = walk(connection, part)
    found.broken = [
        item for item in found.broken if walk(connection, replace(part, low=item.chain, high=item.chain)).broken
    ]
    known = {item.chain for item in found.broken}
    found.broken += [item for item in found.unvouched if item.chain not in known]
    return found


def verified_apart(parameters: Mapping[str, Any], part: Part) -> Walked:
    """Verify the chains of a part on a connection of its own, as another process does."""
    with psycopg.connect(**parameters, autocommit=True) as own:
        return verified(own, part)


def walk(connection: Connection, part: Part) -> Walked:
    """Walk once."""
    found = Walked()
    beside = _Beside(connection, part)
    vouched: dict[tuple[bytes, int], bytes] = {}
    for name, rows in groupby(_rows(connection, _LINKS, part), itemgetter(0)):
        chain = _begin(name, beside, found)
        for row in rows:
            found.events += 1
            if not chain.bad:
                _check(chain, row, part.horizon, found)
            if _VOUCHES in row[7] and not chain.bad:
                vouched |= _links_in(chain, row, found)
        _end(chain, found)
        if len(vouched) > CHUNK:
            _hold_against(connection, vouched, found)
            vouched = {}
    for gone in beside.before(None):
        _gone(*gone, found)
    _hold_against(connection, vouched, found)
    return found


def _check(chain: _Chain, row: Row, horizon: int, found: Walked) -> None:
    """Compute one link; the hot place of the whole verification, therefore in one piece."""
    name, seq, number, kind, actor, reason, at, data, digest, run = row
    text, stamp = str(seq), at.isoformat("T", "microseconds") + "Z" if at else ""
    body = (
        f"32:{name.hex()}{len(text)}:{text}{len(kind)}:{kind}{len(actor)}:{actor}{len(reason)}:{reason}"
        f"{len(stamp)}:{stamp}{len(data)}:{data}"
    )
    why = ""
    if seq != chain.next:
        why = f"link {chain.next} is missing"
    elif sha256(chain.head + body.encode()).digest() != digest:
        why = "the hash does not fit the row: it was changed after it was written"
    elif chain.heads and seq == chain.heads[0][0]:
        _, sealed, seal = chain.heads.pop(0)
        if sealed != digest:
            why = f"it is not the link that seal {seal} knows: the chain was written again"
    elif seq > chain.covered and number <= horizon:
        why = "no seal knows it, although it claims to be older than the last seal: it was put in later"
    if not why and (not seq or run != chain.run or _SAYS_RUN in data):
        why = _misplaced(chain, seq, kind, data, run)
    chain.next, chain.head = seq + 1, digest
    if why:
        chain.bad = True
        found.note(name, seq, why)


def _begin(name: bytes, beside: "_Beside", found: Walked) -> _Chain:
    for gone in beside.before(name):
        _gone(*gone, found)
    heads, grave = beside.of(name)
    chain = _Chain(name, heads)
    found.chains += 1
    if grave is not None:
        chain.bad = True
        found.note(name, grave[0], "its chain was pruned, and yet links of it are there")
    return chain


def _end(chain: _Chain, found: Walked) -> None:
    found.head = (chain.next - 1, chain.head)
    if chain.bad or not chain.heads:
        return
    seq, _, seal = chain.heads[0]
    why = f"it is gone: seal {seal} knows it, but the chain now ends with link {chain.next - 1}"
    found.note(chain.name, seq, why)


def _gone(name: bytes, heads: list[Head], grave: tuple[int, bytes] | None, found: Walked) -> None:
    """Hold a chain without links against its tombstone."""
    if grave is None:
        seq, _, seal = heads[-1]
        found.note(name, seq, f"the whole chain is gone: seal {seal} knows this link, and no tombstone is left")
    elif not heads:
        found.note(name, grave[0], "a tombstone stands for a chain that no seal knows")
    elif (heads[-1][0], heads[-1][1]) != grave:
        found.note(name, heads[-1][0], f"the tombstone does not name the link that seal {heads[-1][2]} knows")


def _misplaced(chain: _Chain, seq: int, kind: str, data: str, run: bytes | None) -> str:
    """Return what is wrong with the run of a link: no hash covers the column."""
    if not seq:
        chain.single, chain.run = kind in OF_ONE_RUN, run
    elif chain.single and run != chain.run:
        return "it names another run than the beginning of its chain"
    if _SAYS_RUN not in data:
        return ""
    try:
        said = json.loads(data).get(RUN)
    except _UNREADABLE:
        return "what it says cannot be read"
    fits = said is None or (run is not None and said == str(uuid.UUID(bytes=run)))
    return "" if fits else "it says that it is of another run"


def _links_in(chain: _Chain, row: Row, found: Walked) -> dict[tuple[bytes, int], bytes]:
    """Return the links of other chains that an event vouches for."""
    try:
        links = json.loads(row[7]).get(VOUCHED, {})
        return {(uuid.UUID(name).bytes, _number(seq)): bytes.fromhex(link) for name, (seq, link) in links.items()}
    except _UNREADABLE:
        chain.bad = True
        found.note(chain.name, row[1], "what it says of other chains cannot be read")
        return {}


def _number(seq: Any) -> int:
    if type(seq) is not int or not 0 <= seq < _LONGEST:
        raise ValueError(f"{seq!r} is no number of a link")
    return seq


def _hold_against(connection: Connection, vouched: dict[tuple[bytes, int], bytes], found: Walked) -> None:
    """Find the links that are gone, or are not those that another chain vouches for."""
    names = [uuid.UUID(bytes=name) for name, _ in vouched]
    with psycopg.Cursor(connection) as cursor:
        cursor.execute(_VOUCHED_LINKS, [names, [seq for _, seq in vouched]], binary=True)
        present: dict[int, bytes] = dict(cursor.fetchall())
    for position, ((name, seq), link) in enumerate(vouched.items(), 1):
        if present.get(position) != link and len(found.unvouched) < MOST_BROKEN:
            why = "it is not the link that the chain behind its fork vouches for"
            found.unvouched.append(Broken(uuid.UUID(bytes=name), seq, why))


class _Beside:
    """The sealed heads and the tombstones of a part, read along with its links."""

    def __init__(self, connection: Connection, part: Part) -> None:
        self._heads = _Ahead(_rows(connection, _SEALED, part, part.seal))
        self._graves = _Ahead(_rows(connection, _GRAVES, part))

    def before(self, name: bytes | None) -> Iterator[tuple[bytes, list[Head], tuple[int, bytes] | None]]:
        """Yield what is known of chains before this one (None: all that are left), which have no links."""
        while True:
            known = [row[0] for row in (self._heads.row, self._graves.row) if row is not None]
            if not known or (name is not None and min(known) >= name):
                return
            yield min(known), *self.of(min(known))

    def of(self, name: bytes) -> tuple[list[Head], tuple[int, bytes] | None]:
        """Return the sealed heads of a chain, and its tombstone."""
        heads = [(row[1], row[2], row[3]) for row in self._heads.take(name)]
        graves = [(row[1], row[2]) for row in self._graves.take(name)]
        return heads, graves[0] if graves else None


class _Ahead:
    """Rows by chain, with a look at the next one."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.row = next(rows, None)

    def take(self, name: bytes) -> list[Row]:
        """Return the rows of a chain, which must be the next one that has any."""
        taken = []
        while self.row is not None and self.row[0] == name:
            taken.append(self.row)
            self.row = next(self._rows, None)
        return taken


def _rows(connection: Connection, query: str, part: Part, *more: object) -> Iterator[Row]:
    for page in _pages(connection, query, part, *more):
        yield from page


def _pages(connection: Connection, query: str, part: Part, *more: object) -> Iterator[list[Row]]:
    """Yield pages of a query that begins behind a chain and number and ends before the end of the part."""
    chain, seq = part.low, -1
    with psycopg.Cursor(connection) as cursor:  # Django's own binds on this side and reads text
        while True:
            page = cursor.execute(query, [chain, seq, part.high, *more, CHUNK], binary=True).fetchall()
            if page:
                yield page
            if len(page) < CHUNK:
                return
            chain, seq = uuid.UUID(bytes=page[-1][0]), page[-1][1]
