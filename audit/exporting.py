"""Write the trail out: NDJSON that can be verified without the database (`audit/offline.py`), or CSV for people.

An export begins with a line that says what was asked for, then come the seals with the heads under them, the links by
chain and number, the tombstones, and an end with the digest of all lines before, signed if there is a key.
An export of a run or a chain has only the heads of its chains, each with its path through the tree of the seal.

Pruning goes on meanwhile. Tombstones are read behind the links, so that a chain which is not here any more has one, and
the links that tell of prunings come last of all, so that no tombstone is without.
"""

import csv
import hashlib
import io
import json
import uuid
from collections.abc import Iterable, Iterator, Set
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

from django.db.models import Model, QuerySet, Sum

from audit import lines, sealing, signing
from audit.formulas import export_text, leaf, levels, path, stamp
from audit.models import AuditEvent, Seal, SealedHead, Tombstone
from audit.recording import TRAIL, record
from audit.walking import OF_ONE_RUN

Row = TypeVar("Row", bound=Model)
FORMAT = 1
PAGE = 2_000
COLUMNS = ("at", "kind", "actor", "reason", "run", "chain", "seq", "data", "hash")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
Line = dict[str, Any]
Head = tuple[uuid.UUID, int, bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which links: those of a run, of a chain, at a time, of a kind of event, by an actor; all if nothing is said."""

    run: uuid.UUID | None = None
    chain: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    event: str | None = None
    actor: str | None = None

    @property
    def everything(self) -> bool:
        """Tell whether nothing is left out."""
        return all(getattr(self, field.name) is None for field in fields(self))

    def takes(self, event: AuditEvent, *, of_run: bool = False) -> bool:
        """Tell whether a link is wanted; one in the chain of a run is, whatever run its row names."""
        return (
            (of_run or self.run is None or event.run == self.run)
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
            and self.event in {None, event.kind}
            and self.actor in {None, event.actor}
        )

    def as_data(self) -> Line:
        """Return it as the audit trail and the export say it."""
        said = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: stamp(value) if isinstance(value, datetime) else str(value) for name, value in said.items()}


class TooMuch(Exception):
    """An export would read more than was allowed."""


def export(wanted: Wanted, kind: str, *, actor: str, reason: str = "", most: int | None = None) -> Iterator[str]:
    """Record that somebody exports, then return the text of the export, a piece at a time. `kind`: ndjson or csv.

    Raises TooMuch when the heads that it has to read to prove some chains are more than `most`.
    """
    if most is not None and kind == "ndjson" and (count := _heads_to_read(wanted)) > most:
        raise TooMuch(f"{count} heads are under the seals that know these chains, and at most {most} are read here")
    record(chain=TRAIL, kind="audit.exported", actor=actor, reason=reason, data={**wanted.as_data(), "kind": kind})
    return _csv(wanted) if kind == "csv" else _ndjson(wanted)


def _ndjson(wanted: Wanted) -> Iterator[str]:
    digest, links = hashlib.sha256(), 0
    for found in _lines(wanted):
        links += found["type"] == "link"
        text = lines.line(found) + "\n"
        digest.update(text.encode())
        yield text
    signature = signing.sign(export_text(links, digest.hexdigest()))
    end = {"type": "end", "links": links, "sha256": digest.hexdigest()}
    yield lines.line({**end, "key": signing.public_key(), "signature": signature.hex()}) + "\n"


def _lines(wanted: Wanted) -> Iterator[Line]:
    at = sealing.now()  # before the seals are counted, so that none that is older is left out
    last = sealing.newest()
    yield {
        "type": "export",
        "format": FORMAT,
        "at": stamp(at),
        "everything": wanted.everything,
        "wanted": wanted.as_data(),
        "seal": last.number if last else None,
    }
    names = _names(wanted)
    if last is not None:
        yield from _all_seals(last.number) if names is None else _proofs(set(names), last.number)
    yield from _links(wanted, names)
    if wanted.everything:
        yield from map(lines.of_tombstone, _tombstones())
    if names is None:
        yield from _links(wanted, [TRAIL])
    else:
        yield from map(lines.of_tombstone, Tombstone.objects.filter(chain__in=names).order_by("chain"))


def _links(wanted: Wanted, names: list[uuid.UUID] | None) -> Iterator[Line]:
    """Yield the wanted links, of all chains but that of the trail itself if none are named.

    A link whose forerunner is left out names the hash before it.
    """
    chains = groupby(_walk(), attrgetter("chain")) if names is None else ((name, _chain(name)) for name in names)
    for _, events in chains:
        before, shown, of_run = b"", True, False
        for event in events:
            of_run = of_run or (event.seq == 0 and event.kind in OF_ONE_RUN)
            if wanted.takes(event, of_run=of_run):
                yield _link(event) if shown else {**_link(event), "previous": before.hex()}
            shown, before = wanted.takes(event, of_run=of_run), bytes(event.hash)


def _names(wanted: Wanted) -> list[uuid.UUID] | None:
    """Return the chains that may have wanted links, if they can be told beforehand."""
    if wanted.run is None:
        return None if wanted.chain is None else [wanted.chain]
    found = AuditEvent.objects.filter(run=wanted.run).values_list("chain", flat=True).distinct()
    return [name for name in sorted(set(found)) if wanted.chain in {None, name}]


def _walk() -> Iterator[AuditEvent]:
    """Yield the links by chain and number: a chain from its beginning."""
    return _paged(AuditEvent.objects.exclude(chain=TRAIL), "chain", "seq")


def _tombstones() -> Iterator[Tombstone]:
    """Yield every tombstone: those of a pruning that commits meanwhile are there as a whole or not at all."""
    return _paged(Tombstone.objects.all(), "batch", "chain")


def _paged(rows: "QuerySet[Row]", first: str, second: str) -> Iterator[Row]:
    """Yield rows in the order of the two fields of their key, a page at a time."""
    rows, last = rows.order_by(first, second), None
    while True:
        rest = rows
        if last is not None:
            a, b = getattr(last, first), getattr(last, second)
            rest = rows.filter(**{f"{first}__gte": a}).exclude(**{first: a, f"{second}__lte": b})
        page = list(rest[:PAGE])
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1]


def _chain(name: uuid.UUID) -> Iterator[AuditEvent]:
    seq = -1
    while page := list(AuditEvent.objects.filter(chain=name, seq__gt=seq).order_by("seq")[:PAGE]):
        yield from page
        seq = page[-1].seq


def _all_seals(upto: int) -> Iterator[Line]:
    for seal in Seal.objects.filter(number__lte=upto).order_by("number").iterator(PAGE):
        yield lines.of_seal(seal)
        for head in _heads(seal.number).iterator(PAGE):
            yield _head(seal.number, head)


def _proofs(chains: Set[uuid.UUID], upto: int) -> Iterator[Line]:
    """Yield each seal that knows one of the chains, with a path through its tree for each head of them."""
    for number in sorted(_seals_of(chains).filter(seal__lte=upto)):
        yield lines.of_seal(Seal.objects.get(pk=number))
        heads = list(_heads(number))
        tree = levels([leaf(chain.bytes, seq, bytes(digest)) for chain, seq, digest in heads])
        for index, head in enumerate(heads):
            if head[0] in chains:
                yield {**_head(number, head), "index": index, "path": [step.hex() for step in path(tree, index)]}


def _heads_to_read(wanted: Wanted) -> int:
    """Return how many heads are under the seals that know the wanted chains: a path needs its whole tree."""
    names = _names(wanted)
    if names is None:
        return 0
    known = Seal.objects.filter(number__in=_seals_of(set(names)))
    return int(known.aggregate(heads=Sum("count", default=0))["heads"])


def _seals_of(chains: Set[uuid.UUID]) -> "QuerySet[SealedHead, int]":
    return SealedHead.objects.filter(chain__in=chains).order_by().values_list("seal", flat=True).distinct()


def _heads(seal: int) -> "QuerySet[SealedHead, Head]":
    return SealedHead.objects.filter(seal=seal).order_by("chain").values_list("chain", "seq", "hash")


def _link(event: AuditEvent) -> Line:
    return {
        "type": "link",
        "chain": str(event.chain),
        "seq": event.seq,
        "run": str(event.run) if event.run else None,
        "kind": event.kind,
        "actor": event.actor,
        "reason": event.reason,
        "at": stamp(event.at),
        "data": event.data,
        "hash": bytes(event.hash).hex(),
    }


def _head(seal: int, head: Head) -> Line:
    chain, seq, digest = head
    return {"type": "head", "seal": seal, "chain": str(chain), "seq": seq, "hash": bytes(digest).hex()}


def _csv(wanted: Wanted) -> Iterator[str]:
    """Yield the links for a spreadsheet, which must take no cell for a formula; it is not made to be verified."""
    yield _row(COLUMNS)
    names = _names(wanted)
    for part in (names,) if names is not None else (None, [TRAIL]):
        for found in _links(wanted, part):
            yield _row(_cell(found[name]) for name in COLUMNS)


def _row(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(cells)
    return text.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return f"'{text}" if text.startswith(FORMULA) else text
