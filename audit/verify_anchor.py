"""Hold the seals against an anchor: a copy of them in a file outside the database."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from audit import anchoring
from audit.models import Anchor, Seal
from audit.verify_seals import Fault


@dataclass(slots=True)
class Anchored:
    """What an anchor shows: faults, how far it reaches, and what somebody should know who trusts it."""

    path: Path
    seals: int = 0
    upto: int = -1
    torn: bool = False
    faults: list[Fault] = field(default_factory=list)

    def sentence(self) -> str:
        """Say how far the anchor reaches."""
        if self.upto < 0:
            return f"anchor {self.path}: nothing is anchored there yet"
        behind = self.seals - self.upto - 1
        rest = f": {behind} after them could be taken back unseen" if behind > 0 else ""
        torn = "; its last line is torn, and the next seal is written below it" if self.torn else ""
        return f"anchor {self.path}: seals 0 to {self.upto} of {self.seals} are in it{rest}{torn}"


def anchored(path: Path, *, named: bool) -> Anchored:
    """Compare an anchor. One that somebody `named` proves something; that of the settings may not be begun yet."""
    known = {number: bytes(digest).hex() for number, digest in Seal.objects.values_list("number", "hash")}
    found = Anchored(path, seals=len(known))
    brought = Anchor.objects.filter(target=anchoring.name_of(path)).values_list("upto", flat=True).first()
    brought = -1 if brought is None else brought
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        if named or brought >= 0:
            found.faults.append(Fault(f"anchor {path}", f"it cannot be read: {error.strerror}"))
        return found
    found.torn = bool(text) and not text.endswith("\n")
    _compare(text, known, found)
    if found.upto < 0 and known and (named or brought >= 0):
        found.faults.append(Fault(f"anchor {path}", "no line of it is a seal"))
    elif found.upto < brought:
        why = "the anchor lacks it, although it was brought there"
        found.faults.append(Fault(f"seal {found.upto + 1}", why))
    return found


def _compare(text: str, known: dict[int, str], found: Anchored) -> None:
    """Go through the lines; one that was torn is no seal, and one may be there twice."""
    for position, line in enumerate(text.splitlines(), 1):
        number, digest = _seal_in(line)
        if number is None:
            continue
        lacking = range(found.upto + 1, number)
        found.faults += [Fault(f"seal {each}", f"the anchor lacks it before line {position}") for each in lacking]
        if number not in known:
            found.faults.append(Fault(f"seal {number}", f"it is gone: line {position} of the anchor has it"))
        elif known[number] != digest:
            found.faults.append(Fault(f"seal {number}", f"it is not the seal in line {position} of the anchor"))
        found.upto = max(found.upto, number)


def _seal_in(text: str) -> tuple[int | None, str]:
    """Return number and hash of the seal that a line holds; no number if it holds none."""
    try:
        found = json.loads(text)
        number = int(found["number"])
        return (number if number >= 0 else None), str(found["hash"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, ""
