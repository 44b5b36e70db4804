"""What is hashed and signed, byte for byte. `audit/offline.py` says the same a second time, to be run without dotdo.

A link's hash covers the hash before it. A seal is the root of a Merkle tree over the heads of chains (RFC 6962: a
leaf is hashed behind a 0 byte and a node behind a 1 byte, so that neither can pass for the other), and its text
contains the hash of the seal before it. What is signed begins with words of its own, so that no signature fits
anything else.
"""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

GENESIS = bytes(32)
LEAF, NODE = b"\x00", b"\x01"
# In the data of an event: the run that it is about. The hash covers the data, and not the column beside it. The first
# link of a chain says it for the whole chain of a run; chains from before this was said do not.
RUN = "of_run"
SEAL_WORDS, EXPORT_WORDS = "dotdo-seal-v1", "dotdo-export-v1"


def stamp(at: datetime) -> str:
    """Return a time as it is hashed: UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def link_hash(
    previous: bytes, chain: uuid.UUID, seq: int, kind: str, actor: str, reason: str, at: datetime, data: str
) -> bytes:
    """Return SHA-256 over the previous hash and every field, each behind its length in characters."""
    number, moment = str(seq), stamp(at)  # and the name of a chain always has 32 digits
    body = (
        f"32:{chain.hex}{len(number)}:{number}{len(kind)}:{kind}{len(actor)}:{actor}{len(reason)}:{reason}"
        f"{len(moment)}:{moment}{len(data)}:{data}"
    )
    return hashlib.sha256(previous + body.encode()).digest()


def leaf(chain: bytes, seq: int, head: bytes) -> bytes:
    """Return the leaf that stands for the head of a chain (16 bytes, a number, 32 bytes)."""
    return hashlib.sha256(LEAF + chain + seq.to_bytes(8, "big") + head).digest()


def text_leaf(text: str) -> bytes:
    """Return the leaf that stands for a text."""
    return hashlib.sha256(LEAF + text.encode()).digest()


class Tree:
    """The root of a Merkle tree whose leaves come one after the other; it remembers one hash for each level."""

    def __init__(self) -> None:
        self.count = 0
        self._full: list[bytes] = []  # roots of full subtrees, one for each bit of the count, the largest first

    def add(self, node: bytes) -> None:
        """Take the next leaf, as `leaf` returns it."""
        self.count += 1
        merged = self.count
        while merged % 2 == 0:
            node = _node(self._full.pop(), node)
            merged //= 2
        self._full.append(node)

    def root(self) -> bytes:
        """Return the root of what was added so far."""
        if not self._full:
            return hashlib.sha256(b"").digest()
        root = self._full[-1]
        for left in reversed(self._full[:-1]):
            root = _node(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over these leaves."""
    tree = Tree()
    for found in leaves:
        tree.add(found)
    return tree.root()


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return the whole tree, the leaves first: pairs are joined, an odd one moves up as it is."""
    found = [list(leaves)]
    while len(found[-1]) > 1:
        level = found[-1]
        pairs = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        found.append(pairs + level[len(level) - len(level) % 2 :])
    return found


def path(tree: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """Return the hashes that lead from one leaf of a tree to its root, the nearest first (RFC 6962 §2.1.1)."""
    steps = []
    for level in tree[:-1]:
        if index ^ 1 < len(level):
            steps.append(level[index ^ 1])
        index //= 2
    return steps


def seal_text(
    number: int, at: datetime, count: int, root: bytes, reach: int, horizon: int, previous: bytes, key: str
) -> str:
    """Return what a seal says, a line for each field: its hash is the SHA-256 of it, and it is what is signed."""
    fields = (number, stamp(at), count, root.hex(), reach, horizon, previous.hex(), key)
    return "\n".join([SEAL_WORDS, *map(str, fields)]) + "\n"


def export_text(links: int, digest: str) -> str:
    """Return what is signed at the end of an export: how many links it has, and the SHA-256 of all lines before."""
    return f"{EXPORT_WORDS}\n{links}\n{digest}\n"


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE + left + right).digest()
