"""Hold the seals against their heads, signatures and anchor, and the tombstones against the events of pruning."""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from audit import lines, pruning, signing
from audit.formulas import GENESIS, leaf, root_of
from audit.models import AuditEvent, Seal, SealedHead, Tombstone
from audit.recording import TRAIL

PAGE = 500
_LEAVES = "SELECT uuid_send(chain), seq, hash FROM audit_sealed_head WHERE seal_id = %s ORDER BY chain"


@dataclass(frozen=True, slots=True)
class Fault:
    """What does not fit, and why."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


def faults(trusted: Collection[str]) -> Iterator[Fault]:
    """Yield what is wrong with the seals, the first one first; the last one needs the signature of a trusted key."""
    number, previous, last = 0, GENESIS, None
    for seal in _seals():
        if seal.number != number:
            yield Fault(f"seal {number}", "it is missing")
        elif bytes(seal.previous) != previous:
            yield Fault(f"seal {number}", "it does not follow from the seal before it: one of the two was changed")
        yield from _own_faults(seal)
        number, previous, last = seal.number + 1, bytes(seal.hash), seal
    left = SealedHead.objects.filter(seal__gte=number).order_by("seal").values_list("seal", flat=True).first()
    if left is not None:
        yield Fault(f"seal {left}", "it is gone, but heads that were under it are left")
    if last is not None and trusted and last.key not in trusted:
        how = "with a key that is not trusted here" if last.key else "by nobody"
        hint = "if the key was changed, `manage.py seal_audit` makes a seal with the new one"
        yield Fault(f"seal {last.number}", f"it is signed {how}; {hint}")


def anchor_faults(path: Path) -> Iterator[Fault]:
    """Yield where an anchor file and the seals differ. A line that was torn counts as missing."""
    known = {number: bytes(digest).hex() for number, digest in Seal.objects.values_list("number", "hash").iterator()}
    expected = 0
    for position, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        number, digest = _anchored(text)
        if number is None or number < expected:
            if number is not None and known.get(number) != digest:
                yield Fault(f"seal {number}", f"it is not the seal in line {position} of the anchor")
            continue
        for lacking in range(expected, number):
            yield Fault(f"seal {lacking}", f"the anchor lacks it before line {position}")
        if number not in known:
            yield Fault(f"seal {number}", f"it is gone: line {position} of the anchor has it")
        elif known[number] != digest:
            yield Fault(f"seal {number}", f"it is not the seal in line {position} of the anchor")
        expected = number + 1


def tombstone_faults() -> Iterator[Fault]:
    """Yield where the tombstones are not those that the events of pruning name."""
    # Before the events: a pruning that commits in between has no tombstone here, and its event is no finding.
    batches = Tombstone.objects.order_by("batch", "chain").distinct("batch").values_list("batch", "chain")
    left, named = list(batches), set()
    rows = AuditEvent.objects.filter(chain=TRAIL, kind="audit.pruned").order_by("seq")
    for seq, text in rows.values_list("seq", "data"):
        data = json.loads(text)
        named.add(data["batch"])
        root, count = pruning.batch_root(data["batch"])
        if (root.hex(), count) != (data["root"], data["chains"]):
            yield Fault(f"pruning {data['batch']}", f"its tombstones are not those that link {seq} of {TRAIL} names")
    for batch, chain in left:
        if str(batch) not in named:
            yield Fault(f"chain {chain}", "it has a tombstone, but no event tells of its pruning")


def _own_faults(seal: Seal) -> Iterator[Fault]:
    where, text = f"seal {seal.number}", lines.text_of(seal)
    if hashlib.sha256(text.encode()).digest() != bytes(seal.hash):
        yield Fault(where, "the hash does not fit the row: it was changed after it was written")
    elif seal.key and not signing.fits(seal.key, bytes(seal.signature), text):
        yield Fault(where, "its signature is not one of its key")
    with connection.cursor() as cursor:
        cursor.execute(_LEAVES, [seal.number])
        leaves = [leaf(bytes(chain), seq, bytes(head)) for chain, seq, head in cursor.fetchall()]
    if (root_of(leaves), len(leaves)) != (bytes(seal.root), seal.count):
        yield Fault(where, f"the {len(leaves)} heads under it are not the {seal.count} of which it was made")


def _seals() -> Iterator[Seal]:
    number = -1
    while page := list(Seal.objects.filter(number__gt=number).order_by("number")[:PAGE]):
        yield from page
        number = page[-1].number


def _anchored(text: str) -> tuple[int | None, str]:
    """Return number and hash of the seal that a line holds; no number if it holds none."""
    try:
        found = json.loads(text)
        return int(found["number"]), str(found["hash"])
    except (ValueError, KeyError, TypeError):
        return None, ""
