"""Hold the seals against their heads and signatures, and the tombstones against the events of pruning."""

import hashlib
import json
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from audit import lines, pruning, sealing, signing
from audit.formulas import GENESIS, root_of
from audit.models import AuditEvent, Seal, SealedHead, Tombstone
from audit.recording import TRAIL
from dotdo_site.lib import signs

PAGE = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """What does not fit, and why."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


def faults(trusted: Collection[str], chain: uuid.UUID | None = None) -> Iterator[Fault]:
    """Yield what is wrong with the seals, the first one first; the last one needs the signature of a trusted key.

    With `chain`, only the seals that know it are held against their heads.
    """
    knowing = None if chain is None else set(SealedHead.objects.filter(chain=chain).values_list("seal", flat=True))
    number, previous, last = 0, GENESIS, None
    for seal in _seals():
        signs.give()
        if seal.number != number:
            yield Fault(f"seal {number}", "it is missing")
        elif bytes(seal.previous) != previous:
            yield Fault(f"seal {number}", "it does not follow from the seal before it: one of the two was changed")
        yield from _own_faults(seal)
        if knowing is None or seal.number in knowing:
            yield from _head_faults(seal)
        number, previous, last = seal.number + 1, bytes(seal.hash), seal
    left = SealedHead.objects.filter(seal__gte=number).order_by("seal").values_list("seal", flat=True).first()
    if left is not None:
        yield Fault(f"seal {left}", "it is gone, but heads that were under it are left")
    if last is not None and trusted and last.key not in trusted:
        how = "with a key that is not trusted here" if last.key else "by nobody"
        hint = "if the key was changed, `manage.py seal_audit` makes a seal with the new one"
        yield Fault(f"seal {last.number}", f"it is signed {how}; {hint}")


def tombstone_faults() -> Iterator[Fault]:
    """Yield where the tombstones are not those that the events of pruning name."""
    # Before the events: a pruning that commits in between has no tombstone here, and its event is no finding.
    left, named = dict(_batches()), set[uuid.UUID]()
    for seq, text in _prunings():
        try:
            data = json.loads(text)
            batch, told = uuid.UUID(data["batch"]), (data["root"], data["chains"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            yield Fault(f"link {seq} of {TRAIL}", "what it says of a pruning cannot be read")
            continue
        named.add(batch)
        signs.give()
        root, count = pruning.batch_root(batch)
        if (root.hex(), count) != told:
            yield Fault(f"pruning {batch}", f"its tombstones are not those that link {seq} of {TRAIL} names")
    for batch, chain in left.items():
        if batch not in named:
            yield Fault(f"chain {chain}", "it has a tombstone, but no event tells of its pruning")


def _batches() -> Iterator[tuple[uuid.UUID, uuid.UUID]]:
    """Yield each pruning that left tombstones, and its first chain: one look into the index for each."""
    rows = Tombstone.objects.order_by("batch", "chain").values_list("batch", "chain")
    found = rows.first()
    while found is not None:
        yield found
        found = rows.filter(batch__gt=found[0]).first()


def _prunings() -> Iterator[tuple[int, str]]:
    """Yield number and data of the links that tell of a pruning, a page of the chain at a time."""
    rows, seq = AuditEvent.objects.filter(chain=TRAIL).order_by("seq"), -1
    while page := list(rows.filter(seq__gt=seq).values_list("seq", "kind", "data")[:PAGE]):
        yield from ((seq, data) for seq, kind, data in page if kind == "audit.pruned")
        seq = page[-1][0]


def _own_faults(seal: Seal) -> Iterator[Fault]:
    where, text = f"seal {seal.number}", lines.text_of(seal)
    if hashlib.sha256(text.encode()).digest() != bytes(seal.hash):
        yield Fault(where, "the hash does not fit the row: it was changed after it was written")
    elif seal.key and not signing.fits(seal.key, bytes(seal.signature), text):
        yield Fault(where, "its signature is not one of its key")


def _head_faults(seal: Seal) -> Iterator[Fault]:
    where, leaves = f"seal {seal.number}", sealing.leaves(seal.number)
    if (root_of(leaves), len(leaves)) != (bytes(seal.root), seal.count):
        yield Fault(where, f"the {len(leaves)} heads under it are not the {seal.count} of which it was made")


def _seals() -> Iterator[Seal]:
    number = -1
    while page := list(Seal.objects.filter(number__gt=number).order_by("number")[:PAGE]):
        yield from page
        number = page[-1].number
