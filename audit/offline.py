#!/usr/bin/env python3
"""Verify an export of the audit trail without dotdo: one file, Python's standard library, no database.

    python3 offline.py export.ndjson [--seals anchor.ndjson] [--public-key KEY]

It computes the hash of every link again, the root of every seal, the chain of the seals, the signatures (Ed25519, here
in plain Python) and the digest of the whole file. `--seals` is a copy of the seals that was kept elsewhere, such as the
anchor file: every seal of the export must be in it, and none that is older than the export may be missing in the
export. `--public-key` (base64) is the key that must have signed the last
seal and the end; without it, signatures are only held against the keys that the export itself names.

Exit codes: 0 whole, 1 something does not fit, 2 the file cannot be read.
"""

import argparse
import base64
import hashlib
import json
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

Line = dict[str, Any]
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
GENESIS = bytes(32)
SHOWN = 100
OF_ONE_RUN = {"run.started", "branch.opened"}  # what the chain of one run begins with
PARTED = ("since", "until", "event", "actor")
ONLY_OF_RUNS = ("run.", "branch.", "step.", "timer.")  # how the events begin that only such chains have
TRAIL = "1d0d5c6e-8c5b-5f0a-9b7e-4f6f3a2c9e10"  # the chain that tells of prunings
STONE = ("type", "chain", "seq", "hash", "first_at", "last_at", "at", "batch", "export")
UNDER_WAY = timedelta(minutes=10)  # a seal gets its time before it can be seen; no transaction takes longer
Kept = dict[int, tuple[str, str]]  # number of a seal: its hash, its time


class Verifier:
    """Takes the lines of an export one after the other and collects what is wrong."""

    def __init__(self, kept: Kept | None, key: str) -> None:
        self.kept, self.key = kept, key
        self.wrong: list[str] = []
        self.links = self.seals = self.chains = self.stones = self.loose = 0
        self.everything = False
        self.ended = False
        self._digest = hashlib.sha256()
        self._chain, self._next, self._head = "", 0, GENESIS
        self._bad = self._whole = False
        self._run: str | None = None  # that of the chain of one run
        self._of_run = False
        self._wanted: Line = {}
        self._upto = -1
        self._heads: dict[str, dict[int, tuple[str, int]]] = {}  # chain: number of the link: its hash, the seal
        self._graves: dict[str, tuple[int, str]] = {}
        self._batches: dict[str, list[tuple[bytes, bytes]]] = {}  # pruning: its chains, and the leaves of their stones
        self._told: dict[str, tuple[str, int, int]] = {}  # pruning: the root, how many chains, the number of the link
        self._short: dict[str, str] = {}  # what is wrong with chains that end too early, unless they were pruned
        self._seal: Line | None = None
        self._leaves: list[bytes] = []
        self._paths = False

    def take(self, position: int, raw: bytes) -> None:
        """Look at one line, with its end."""
        try:
            line = json.loads(raw)
            known = {
                "export": self._begin,
                "seal": self._take_seal,
                "head": self._take_head,
                "tombstone": self._take_tombstone,
                "link": self._take_link,
                "end": self._end,
            }
            kind = known[line["type"]]
            if self.ended or not raw.endswith(b"\n"):
                self.wrong.append(f"line {position}: it is cut off, or stands behind the end")
            kind(line)
        except UNREADABLE as error:
            self.wrong.append(f"line {position}: it cannot be read: {type(error).__name__} {error}")
        self._digest.update(raw)

    def close(self) -> None:
        """Look at what should have come and did not."""
        if not self.ended:
            self.wrong.append("the end is missing: the export was cut off")
        for chain, heads in sorted(self._heads.items()) if not self._parted() else ():
            last = max(heads)
            seq, link = self._graves.get(chain, (-1, ""))
            if seq > last or (seq, link) == (last, heads[last][0]):
                continue  # it was pruned, perhaps with links that a later seal knows
            text = f"seal {heads[last][1]} knows link {last}, and neither links nor a fitting tombstone are here"
            self.wrong.append(self._short.get(chain) or f"chain {chain}: {text}")
        if self.everything:
            self._close_prunings()

    def _close_prunings(self) -> None:
        """Hold the tombstones against the links that tell of prunings; one may begin behind the tombstones."""
        for batch, leaves in sorted(self._batches.items()):
            root, count, seq = self._told.get(batch, ("", 0, -1))
            found = root_of([node for _, node in sorted(leaves)]).hex()
            if seq < 0:
                chain = uuid.UUID(bytes=min(leaves)[0])
                self.wrong.append(f"chain {chain}: it has a tombstone, but no event tells of its pruning")
            elif (found, len(leaves)) != (root, count):
                self.wrong.append(f"pruning {batch}: its tombstones are not those that link {seq} of {TRAIL} names")

    def _parted(self) -> bool:
        """Tell whether links of a chain may be left out."""
        return not self._wanted.keys().isdisjoint(PARTED)

    def _begin(self, line: Line) -> None:
        if line["format"] != 1:
            self.wrong.append(f"format {line['format']} is not known to this program: take the one of that release")
        self.everything, self._wanted = bool(line["everything"]), dict(line["wanted"])
        self._upto = -1 if line.get("seal") is None else int(line["seal"])
        at = moment(line["at"])
        for number, (_, made) in sorted((self.kept or {}).items()):
            if number > self._upto and moment(made) + UNDER_WAY < at:
                text = f"the copy has it, made before this export, which knows seals up to {self._upto}"
                self.wrong.append(f"seal {number}: {text}")

    def _take_seal(self, line: Line) -> None:
        before = self._seal
        self._close_seal()
        number, text = line["number"], seal_text(line)
        where = f"seal {number}"
        if before is not None and before["number"] + 1 == number and before["hash"] != line["previous"]:
            self.wrong.append(f"{where}: it does not follow from the seal before it")
        if self.everything and number != (before["number"] + 1 if before else 0):
            self.wrong.append(f"{where}: the one before it is missing")
        if hashlib.sha256(text.encode()).hexdigest() != line["hash"]:
            self.wrong.append(f"{where}: its hash does not fit what it says")
        if line["key"] and not signed(line["key"], line["signature"], text):
            self.wrong.append(f"{where}: its signature is not one of its key")
        if self.kept is not None and self.kept.get(number, ("", ""))[0] != line["hash"]:
            self.wrong.append(f"{where}: the copy of the seals has another one, or none")
        self._seal, self._leaves, self._paths = line, [], False
        self.seals += 1

    def _take_head(self, line: Line) -> None:
        seal = self._seal
        if seal is None or seal["number"] != line["seal"]:
            raise ValueError("a head without its seal")
        node = leaf(uuid.UUID(line["chain"]).bytes, line["seq"], bytes.fromhex(line["hash"]))
        self._heads.setdefault(line["chain"], {})[line["seq"]] = (line["hash"], line["seal"])
        if "path" not in line:
            self._leaves.append(node)
            return
        self._paths = True
        root = root_from(node, line["index"], seal["count"], [bytes.fromhex(step) for step in line["path"]])
        if root is None or root.hex() != seal["root"]:
            self.wrong.append(f"chain {line['chain']}: its path does not lead to the root of seal {line['seal']}")

    def _close_seal(self) -> None:
        """Compute the root of a seal that came with all its heads."""
        seal, self._seal = self._seal, None
        if seal is None or self._paths:
            return
        if (root_of(self._leaves).hex(), len(self._leaves)) != (seal["root"], seal["count"]):
            self.wrong.append(f"seal {seal['number']}: the heads here are not those of which it was made")

    def _last_seal(self) -> None:
        last = self._seal
        self._close_seal()
        if self.everything and last is not None and last["number"] != self._upto:
            self.wrong.append(f"seal {self._upto}: it is not here, and was when the export began")
        if self.key and last is not None and last["key"] != self.key:
            self.wrong.append(f"seal {last['number']}: it is not signed with the key that was given")

    def _take_tombstone(self, line: Line) -> None:
        chain = str(uuid.UUID(line["chain"]))
        text = json.dumps({name: line[name] for name in STONE}, separators=(",", ":"), ensure_ascii=True)
        self._graves[chain] = (line["seq"], line["hash"])
        self._batches.setdefault(line["batch"], []).append((uuid.UUID(chain).bytes, text_leaf(text)))
        self.stones += 1

    def _take_link(self, line: Line) -> None:
        if self._seal is not None:
            self._last_seal()
        chain, seq = line["chain"], line["seq"]
        if chain != self._chain:
            self._close_chain()
            self._chain, self._next, self._head = chain, 0, GENESIS
            self._bad, self._whole = False, self._is_whole(line)
            self._of_run, self._run = seq == 0 and line["kind"] in OF_ONE_RUN, line["run"]
            self.chains += 1
        self.links += 1
        why = self._why(line, chain, seq)
        if why and not self._bad:
            self.wrong.append(f"chain {chain}, link {seq}: {why}")
            self._bad = True
        elif not why and chain == TRAIL and line["kind"] == "audit.pruned":
            told = json.loads(line["data"])
            self._told[told["batch"]] = (told["root"], told["chains"], seq)
        self._next, self._head = seq + 1, bytes.fromhex(line["hash"])

    def _is_whole(self, first: Line) -> bool:
        """Tell whether all links of the chain that begins here must be in the export."""
        if self._parted():
            return False
        return self._wanted.keys() <= {"chain"} or first["kind"].startswith(ONLY_OF_RUNS)

    def _why(self, line: Line, chain: str, seq: int) -> str:
        if "previous" in line and not self._whole:
            self._next, self._head = seq, bytes.fromhex(line["previous"])
            self.loose += 1
        if seq != self._next:
            return f"link {self._next} is missing"
        if link_hash(self._head, line).hex() != line["hash"]:
            return "its hash does not fit what it says"
        sealed, seal = self._heads.get(chain, {}).get(seq, (line["hash"], -1))
        if sealed != line["hash"]:
            return f"it is not the link that seal {seal} knows"
        if self._of_run and line["run"] != self._run:
            return "it names another run than the beginning of its chain"
        return "" if said_run(line) in {None, line["run"]} else "it says that it is of another run"

    def _close_chain(self) -> None:
        """Hold the end of the chain that was read against the seals."""
        heads = self._heads.pop(self._chain, {})
        if heads and self._next <= max(heads) and self._whole and not self._bad:
            last = max(heads)
            text = f"it is not here, but seal {heads[last][1]} knows it"
            self._heads[self._chain] = heads  # a tombstone may come
            self._short[self._chain] = f"chain {self._chain}, link {last}: {text}"

    def _end(self, line: Line) -> None:
        self._last_seal()
        self._close_chain()
        self.ended = True
        digest = self._digest.hexdigest()
        if (line["links"], line["sha256"]) != (self.links, digest):
            self.wrong.append("the end does not fit the lines before it: some were changed, added or left out")
        text = f"dotdo-export-v1\n{self.links}\n{digest}\n"
        if line["key"] and not signed(line["key"], line["signature"], text):
            self.wrong.append("the end: its signature is not one of its key")
        if self.key and line["key"] != self.key:
            self.wrong.append("the end: it is not signed with the key that was given")


def moment(text: str) -> datetime:
    """A time, such as 2026-01-01T12:00:00.000000Z."""
    return datetime.fromisoformat(text)


def said_run(line: Line) -> str | None:
    """The run that a link says it is about, under its hash; older ones do not say."""
    found = json.loads(line["data"]).get("of_run") if '"of_run":' in line["data"] else None
    return None if found is None else str(found)


def link_hash(previous: bytes, line: Line) -> bytes:
    """SHA-256 over the hash before and the fields, each behind its length in characters."""
    names = ("kind", "actor", "reason", "at", "data")
    fields = [line["chain"].replace("-", ""), str(line["seq"]), *(line[name] for name in names)]
    body = "".join(f"{len(field)}:{field}" for field in fields)
    return hashlib.sha256(previous + body.encode()).digest()


def seal_text(line: Line) -> str:
    """What a seal says: the text that is hashed and signed."""
    names = ("number", "at", "count", "root", "reach", "horizon", "previous", "key")
    return "\n".join(["dotdo-seal-v1", *(str(line[name]) for name in names)]) + "\n"


def leaf(chain: bytes, seq: int, head: bytes) -> bytes:
    """The leaf of a head in the Merkle tree (RFC 6962): behind a 0 byte."""
    return hashlib.sha256(b"\x00" + chain + seq.to_bytes(8, "big") + head).digest()


def text_leaf(text: str) -> bytes:
    """The leaf of a text in the Merkle tree."""
    return hashlib.sha256(b"\x00" + text.encode()).digest()


def node_of(left: bytes, right: bytes) -> bytes:
    """A node of the Merkle tree: behind a 1 byte."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: list[bytes]) -> bytes:
    """The root over leaves: pairs are joined level by level, an odd one moves up as it is."""
    level = leaves or [hashlib.sha256(b"").digest()]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [node_of(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)] + odd
    return level[0]


def root_from(node: bytes, index: int, count: int, path: list[bytes]) -> bytes | None:
    """The root to which a leaf and the hashes beside its way lead; None if there are too few or too many."""
    steps = iter(path)
    while count > 1:
        if index % 2 or index + 1 < count:
            step = next(steps, None)
            if step is None:
                return None
            node = node_of(step, node) if index % 2 else node_of(node, step)
        index, count = index // 2, (count + 1) // 2
    return node if next(steps, None) is None else None


# --- Ed25519 (RFC 8032), verification only: nothing here is secret, so plain numbers will do ------------------------
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]  # extended coordinates


def signed(key: str, signature: str, text: str) -> bool:
    """Tell whether a signature (hexadecimal) of a text is one of a public key (base64)."""
    public, raw = base64.b64decode(key), bytes.fromhex(signature)
    if len(raw) != 64 or len(public) != 32:
        return False
    a, r, s = _point(public), _point(raw[:32]), int.from_bytes(raw[32:], "little")
    if a is None or r is None or s >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(raw[:32] + public + text.encode()).digest(), "little") % ORDER
    left, right = _times(s, _BASE), _plus(r, _times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 == (left[1] * right[2] - right[1] * left[2]) % P


def _plus(one: Point, other: Point) -> Point:
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f, g * h, f * g, e * h


def _times(factor: int, point: Point) -> Point:
    found: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            found = _plus(found, point)
        point, factor = _plus(point, point), factor >> 1
    return found


def _point(raw: bytes) -> Point | None:
    y, odd = int.from_bytes(raw, "little") & (1 << 255) - 1, raw[31] >> 7
    x = _x(y, odd) if y < P else None
    return None if x is None else (x, y, 1, x * y % P)


def _x(y: int, odd: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    return x if x & 1 == odd else P - x


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _x(_BASE_Y, 0) or 0
_BASE: Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


def kept(path: Path | None) -> Kept | None:
    """Read a copy of the seals; lines that are none, such as a torn one, are passed over."""
    if path is None:
        return None
    found = {}
    for line in _lines(path):
        try:
            seal = json.loads(line)
            if seal["type"] == "seal" and hashlib.sha256(seal_text(seal).encode()).hexdigest() == seal["hash"]:
                found[int(seal["number"])] = (str(seal["hash"]), str(seal["at"]))
        except UNREADABLE:
            continue
    return found


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def main(arguments: list[str] | None = None) -> int:
    """Verify the file that the arguments name, say what is wrong, and return the exit code."""
    parser = argparse.ArgumentParser(description="Verify an export of dotdo's audit trail.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--seals", type=Path, help="a copy of the seals, such as the anchor file")
    parser.add_argument("--public-key", default="", help="the key (base64) that must have signed")
    options = parser.parse_args(arguments)
    try:
        verifier = Verifier(kept(options.seals), options.public_key)
        for position, line in enumerate(_lines(options.export), 1):
            verifier.take(position, line)
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 2
    verifier.close()
    return _report(verifier)


def _report(found: Verifier) -> int:
    for text in found.wrong[:SHOWN]:
        sys.stderr.write(text + "\n")
    if found.wrong:
        sys.stderr.write(f"{len(found.wrong)} findings: this is not what was written\n")
        return 1
    sys.stdout.write(f"links: {found.links}, chains: {found.chains}, seals: {found.seals}; everything fits\n")
    key = "signed with the key that was given" if found.key else "no key was given: anybody could have signed this"
    copy = "the seals are those of the copy" if found.kept is not None else "no copy of the seals was given"
    sys.stdout.write("".join(f"{text}\n" for text in (key, copy, *_open(found))))
    return 0


def _open(found: Verifier) -> Iterator[str]:
    """What nobody can tell from this export alone."""
    if found.loose:
        yield f"{found.loose} links follow others that are not here: only an export of whole chains holds them together"
    if found.stones and not found.everything:
        yield f"{found.stones} chains were pruned: whether the trail tells of it, only an export of everything shows"


if __name__ == "__main__":
    sys.exit(main())
