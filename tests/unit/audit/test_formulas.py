"""The Merkle tree is that of RFC 6962, and both programs that compute it agree, for every size."""

import base64
import hashlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit import formulas, offline

LEAVES = st.lists(st.binary(min_size=32, max_size=32), max_size=40)
# The vectors of RFC 6962's reference implementation (certificate-transparency, merkle_tree_test.cc).
VECTORS = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", bytes(range(0x50, 0x58))]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
}


def test_the_roots_are_those_of_the_rfc() -> None:
    leaves = [hashlib.sha256(b"\x00" + data).digest() for data in VECTORS]
    assert {count: formulas.root_of(leaves[:count]).hex() for count in ROOTS} == ROOTS


@given(LEAVES)
def test_both_programs_compute_the_same_root(leaves: list[bytes]) -> None:
    assert formulas.root_of(leaves) == offline.root_of(leaves)


@given(LEAVES.filter(bool), st.data())
def test_every_leaf_has_a_path_to_the_root_and_no_other_leaf_has_it(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    steps, root = formulas.path(formulas.levels(leaves), index), formulas.root_of(leaves)
    assert offline.root_from(leaves[index], index, len(leaves), steps) == root
    assert offline.root_from(b"\xff" * 31 + b"\x01", index, len(leaves), steps) != root
    assert offline.root_from(leaves[index], index, len(leaves), [*steps, root]) is None
    if steps:
        assert offline.root_from(leaves[index], index, len(leaves), steps[:-1]) is None


@given(LEAVES.filter(bool), st.data())
def test_no_leaf_can_be_changed_moved_added_or_left_out(leaves: list[bytes], data: st.DataObject) -> None:
    root = formulas.root_of(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    other = data.draw(st.binary(min_size=32, max_size=32).filter(lambda found: found != leaves[index]))
    assert formulas.root_of([*leaves[:index], other, *leaves[index + 1 :]]) != root
    assert formulas.root_of([*leaves, leaves[-1]]) != root
    assert formulas.root_of(leaves[:-1]) != root
    if leaves != leaves[::-1]:
        assert formulas.root_of(leaves[::-1]) != root


def test_a_node_cannot_pass_for_a_leaf() -> None:
    one, two = (formulas.leaf(bytes(16), number, bytes(32)) for number in (1, 2))
    assert formulas.text_leaf((one + two).decode("latin-1")) != formulas.root_of([one, two])
    assert hashlib.sha256(formulas.NODE + one + two).digest() == formulas.root_of([one, two])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.uuids(), st.integers(0, 2**31), TEXT, TEXT, TEXT, st.datetimes(timezones=st.just(UTC)), TEXT)
def test_both_programs_hash_a_link_alike(
    chain: uuid.UUID, seq: int, kind: str, actor: str, reason: str, at: datetime, data: str
) -> None:
    line = {"chain": str(chain), "seq": seq, "kind": kind, "actor": actor, "reason": reason, "data": data}
    found = offline.link_hash(formulas.GENESIS, line | {"at": formulas.stamp(at)})
    assert found == formulas.link_hash(formulas.GENESIS, chain, seq, kind, actor, reason, at, data)


def test_fields_cannot_flow_into_each_other() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    name = uuid.uuid4()
    hashes = {
        formulas.link_hash(formulas.GENESIS, name, 1, *fields, at + timedelta(seconds=later), "{}")
        for fields in (("ab", "c", ""), ("a", "bc", ""), ("a", "b", "c"), ("abc", "", ""))
        for later in (0, 1)
    }
    assert len(hashes) == 8


@given(st.binary(min_size=32, max_size=32), st.text(max_size=50), st.integers(0, 63), st.integers(1, 255))
def test_plain_python_verifies_as_the_library_does(seed: bytes, text: str, place: int, change: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    try:
        message = text.encode()
    except UnicodeEncodeError:
        return
    signature = bytearray(key.sign(message))
    assert offline.signed(public, signature.hex(), text)
    assert not offline.signed(public, signature.hex(), text + " ")
    signature[place] ^= change
    assert not offline.signed(public, signature.hex(), text)


@pytest.mark.parametrize("key", ["", "AAAA", base64.b64encode(b"\xff" * 32).decode()])
def test_a_key_that_is_none_verifies_nothing(key: str) -> None:
    assert not offline.signed(key, "00" * 64, "")
