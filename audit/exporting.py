"""Write the trail out: NDJSON that can be verified without the database (`audit/offline.py`), or CSV for people.

An export begins with a line that says what was asked for, then come the seals with the heads under them, the
tombstones, the links by chain and number, and an end with the digest of all lines before, signed if there is a key.
An export of a run or a chain has only the heads of its chains, each with its path through the tree of the seal.
"""

import csv
import hashlib
import io
import json
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from audit import lines, signing
from audit.formulas import export_text, leaf, levels, path, stamp
from audit.models import AuditEvent, Seal, SealedHead, Tombstone
from audit.recording import TRAIL, record

FORMAT = 1
PAGE = 2_000
COLUMNS = ("at", "kind", "actor", "reason", "run", "chain", "seq", "data", "hash")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
Line = dict[str, Any]
Head = tuple[uuid.UUID, int, bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which links: those of a run, of a chain, at a time; of everything if nothing is said."""

    run: uuid.UUID | None = None
    chain: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def everything(self) -> bool:
        """Tell whether nothing is left out."""
        return all(getattr(self, field.name) is None for field in fields(self))

    def takes(self, event: AuditEvent) -> bool:
        """Tell whether a link is wanted."""
        return (
            (self.run is None or event.run == self.run)
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
        )

    def as_data(self) -> Line:
        """Return it as the audit trail and the export say it."""
        said = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: stamp(value) if isinstance(value, datetime) else str(value) for name, value in said.items()}


def export(wanted: Wanted, kind: str, *, actor: str, reason: str = "") -> Iterator[str]:
    """Record that somebody exports, then return the text of the export, a piece at a time. `kind`: ndjson or csv."""
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
    upto = Seal.objects.order_by("-number").values_list("number", flat=True).first()
    yield {
        "type": "export",
        "format": FORMAT,
        "at": stamp(timezone.now()),
        "everything": wanted.everything,
        "wanted": wanted.as_data(),
        "seal": upto,
    }
    if upto is not None:
        names = _names(wanted)
        yield from _all_seals(upto) if names is None else _proofs(names, upto)
    yield from _links(wanted)


def _links(wanted: Wanted) -> Iterator[Line]:
    """Yield the wanted links; one whose forerunner is left out names the hash before it."""
    names = _names(wanted)
    chains = groupby(_walk(), attrgetter("chain")) if names is None else ((name, _chain(name)) for name in names)
    for _, events in chains:
        before, shown = b"", True
        for event in events:
            if wanted.takes(event):
                yield _link(event) if shown else {**_link(event), "previous": before.hex()}
            shown, before = wanted.takes(event), bytes(event.hash)


def _names(wanted: Wanted) -> list[uuid.UUID] | None:
    """Return the chains that may have wanted links, if they can be told beforehand."""
    if wanted.run is None:
        return None if wanted.chain is None else [wanted.chain]
    found = AuditEvent.objects.filter(run=wanted.run).values_list("chain", flat=True).distinct()
    return [name for name in sorted(set(found)) if wanted.chain in {None, name}]


def _walk() -> Iterator[AuditEvent]:
    """Yield every link by chain and number, a page at a time: a chain from its beginning."""
    rows, last = AuditEvent.objects.order_by("chain", "seq"), None
    while True:
        rest = rows.filter(chain__gte=last.chain).exclude(chain=last.chain, seq__lte=last.seq) if last else rows
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
    for stone in Tombstone.objects.order_by("batch", "chain").iterator(PAGE):
        yield lines.of_tombstone(stone)


def _proofs(chains: Collection[uuid.UUID], upto: int) -> Iterator[Line]:
    """Yield each seal that knows one of the chains, with a path through its tree for each head of them."""
    numbers = SealedHead.objects.filter(chain__in=chains, seal__lte=upto).values_list("seal", flat=True).distinct()
    for number in sorted(set(numbers)):
        yield lines.of_seal(Seal.objects.get(pk=number))
        heads = list(_heads(number))
        tree = levels([leaf(chain.bytes, seq, bytes(digest)) for chain, seq, digest in heads])
        for index, head in enumerate(heads):
            if head[0] in chains:
                yield {**_head(number, head), "index": index, "path": [step.hex() for step in path(tree, index)]}


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
    for found in _links(wanted):
        yield _row(_cell(found[name]) for name in COLUMNS)


def _row(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(cells)
    return text.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return f"'{text}" if text.startswith(FORMULA) else text
