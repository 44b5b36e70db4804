"""Whoever owns the database can change everything in it, silently; verification finds it and names the place."""

import base64
import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction
from pytest_django import Settings

from audit import anchoring, sealing
from audit.formulas import link_hash
from audit.models import AuditEvent
from audit.recording import TRAIL, record
from tests.integration.audit.trails import (
    LONG_AGO,
    Superuser,
    behind,
    chain,
    extend,
    following,
    said,
    sealed_again,
    verify,
    written_again,
)

pytestmark = pytest.mark.usefixtures("database")
BORDERS = """
    SELECT percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY chain) FROM audit_event WHERE %s > 0
"""


@pytest.fixture
def anchor(tmp_path: Path, settings: Settings) -> Path:
    """Name a file outside the database."""
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchor.ndjson")
    return tmp_path / "anchor.ndjson"


@pytest.fixture
def chains(anchor: Path) -> list[uuid.UUID]:
    """Make a trail with two seals: the first chain grew between them, the last one came between them."""
    names = [chain(4), chain(4), chain(4)]
    sealing.seal()
    extend(names[0], 2)
    names.append(chain(3))
    sealing.seal()
    anchoring.deliver()
    assert verify(anchor=anchor) == "whole"
    return names


def test_a_changed_field_is_found(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    behind(superuser, f"UPDATE audit_event SET actor = 'nobody' WHERE chain = '{chains[1]}' AND seq = 2")
    assert f"chain {chains[1]}, link 2: the hash does not fit the row" in verify()


@pytest.mark.parametrize("column", ["kind", "actor", "reason", "data", "at", "seq", "hash", "chain"])
def test_no_column_can_be_changed(superuser: Superuser, chains: list[uuid.UUID], column: str) -> None:
    fresh = {"at": "at + interval '1 microsecond'", "seq": "seq + 100", "hash": r"'\x00'", "chain": "gen_random_uuid()"}
    value = fresh.get(column, f"{column} || ' '")
    behind(superuser, f"UPDATE audit_event SET {column} = {value} WHERE chain = '{chains[1]}' AND seq = 2")
    assert f"chain {chains[1]}, link " in verify()


def test_a_link_that_was_given_to_another_run_is_found(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    behind(superuser, f"UPDATE audit_event SET run = gen_random_uuid() WHERE chain = '{chains[1]}' AND seq = 2")
    assert f"chain {chains[1]}, link 2: it names another run" in verify()


def test_a_link_missing_in_the_middle_is_found(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    behind(superuser, f"DELETE FROM audit_event WHERE chain = '{chains[2]}' AND seq = 1")
    assert f"chain {chains[2]}, link 2: link 1 is missing" in verify()


def test_a_tail_that_was_cut_off_is_found(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    behind(superuser, f"DELETE FROM audit_event WHERE chain = '{chains[0]}' AND seq >= 4")
    found = verify()
    assert f"chain {chains[0]}, link 5: it is gone: seal 1 knows it, but the chain now ends with link 3" in found
    assert "1 finding" in found


def test_a_chain_that_was_written_again_from_its_beginning_is_found(
    superuser: Superuser, chains: list[uuid.UUID]
) -> None:
    written_again(superuser, chains[0], "somebody else")
    assert f"chain {chains[0]}, link 3: it is not the link that seal 0 knows" in verify()


def test_a_chain_that_is_gone_altogether_is_found(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    behind(superuser, f"DELETE FROM audit_event WHERE chain = '{chains[3]}'")
    assert f"chain {chains[3]}, link 2: the whole chain is gone: seal 1 knows this link" in verify()


def test_a_trail_without_any_event_left_is_found(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    behind(superuser, "DELETE FROM audit_event")
    assert "4 findings" in verify()


def test_a_chain_that_was_put_in_later_is_found(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    name = uuid.uuid4()
    old = AuditEvent.objects.order_by("id").values_list("id", flat=True)[0]
    behind(superuser, f"DELETE FROM audit_event WHERE id = {old}")
    AuditEvent.objects.create(id=old, **following(name, 1, run=uuid.uuid4())[0])
    assert f"chain {name}, link 0: no seal knows it" in verify()


def test_two_chains_whose_heads_were_swapped_under_a_seal_are_found(
    superuser: Superuser, chains: list[uuid.UUID]
) -> None:
    behind(
        superuser,
        "UPDATE audit_sealed_head h SET hash = o.hash FROM audit_sealed_head o WHERE h.seal_id = 0 AND o.seal_id = 0 "
        f"AND h.chain IN ('{chains[1]}', '{chains[2]}') AND o.chain IN ('{chains[1]}', '{chains[2]}') "
        "AND h.chain <> o.chain",
    )
    found = verify()
    assert "seal 0: the 3 heads under it are not the 3 of which it was made" in found
    assert f"chain {chains[1]}, link 3: it is not the link that seal 0 knows" in found


def _rewrite(superuser: Superuser, name: uuid.UUID, key: Ed25519PrivateKey | None) -> None:
    """Write a chain again, and everything above it."""
    head = written_again(superuser, name, "somebody else")
    behind(superuser, f"UPDATE audit_sealed_head SET hash = '\\x{head.hex()}' WHERE chain = '{name}' AND seal_id = 0")
    sealed_again(superuser, 0, key=key)
    sealed_again(superuser, 1, key=key)


def test_a_forged_seal_needs_the_key(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    _rewrite(superuser, chains[1], None)
    assert verify().startswith("seal 0: its signature is not one of its key")


def test_seals_forged_with_another_key_are_found(superuser: Superuser, chains: list[uuid.UUID], anchor: Path) -> None:
    _rewrite(superuser, chains[1], Ed25519PrivateKey.generate())
    assert verify().startswith("seal 1: it is signed with a key that is not trusted here")
    assert "seal 0: it is not the seal in line 1 of the anchor" in verify(anchor=anchor)


def test_seals_forged_by_who_has_the_key_are_found_with_the_anchor(
    superuser: Superuser, chains: list[uuid.UUID], anchor: Path, settings: Settings
) -> None:
    stolen = Ed25519PrivateKey.from_private_bytes(base64.b64decode(settings.AUDIT_SIGNING_KEY))
    _rewrite(superuser, chains[1], stolen)
    assert verify(without_anchor=True) == "whole"
    assert "seal 0: it is not the seal in line 1 of the anchor" in verify(anchor=anchor)


def test_a_seal_without_its_signature_is_found(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    behind(superuser, "UPDATE audit_seal SET key = '', signature = ''")
    for number in (0, 1):
        sealed_again(superuser, number)
    assert verify().startswith("seal 1: it is signed by nobody")


@pytest.mark.parametrize(
    "column", ["root", "previous", "hash", "signature", "at", "count", "reach", "horizon", "key", "number"]
)
def test_no_column_of_a_seal_can_be_changed(superuser: Superuser, chains: list[uuid.UUID], column: str) -> None:
    fresh = {"at": "at + interval '1 microsecond'", "key": "'" + "A" * 43 + "='"}
    number = f"{column} + 1" if column in {"count", "reach", "horizon"} else r"'\x00'::bytea"
    value = "7" if column == "number" else fresh.get(column, number)
    behind(superuser, f"UPDATE audit_seal SET {column} = {value} WHERE number = 1")
    assert "seal " in verify()


def test_a_seal_missing_in_the_middle_is_found(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    behind(superuser, "DELETE FROM audit_sealed_head WHERE seal_id = 0", "DELETE FROM audit_seal WHERE number = 0")
    assert "seal 0: it is missing" in verify()


def test_the_last_seal_taken_back_is_found_with_the_anchor(
    superuser: Superuser, chains: list[uuid.UUID], anchor: Path
) -> None:
    behind(superuser, "DELETE FROM audit_seal WHERE number = 1")
    assert "seal 1: it is gone, but heads that were under it are left" in verify()
    behind(superuser, "DELETE FROM audit_sealed_head WHERE seal_id = 1")
    assert verify(without_anchor=True) == "whole"
    assert "seal 1: it is gone: line 2 of the anchor has it" in verify(anchor=anchor)


def test_a_chain_vouched_for_by_another_key_on_the_command_line_is_told(chains: list[uuid.UUID]) -> None:
    other = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    assert "not trusted here" in verify(public_key=[other])
    assert "is not a public key" in verify(public_key=["nonsense"])


@pytest.mark.parametrize(
    "change",
    [
        """data = '{"branches":0}'""",
        """data = '{"branches":'""",
        """data = '["branches":'""",
        """data = '{"branches":{"x":[0,"zz"]}}'""",
        "at = 'infinity'",
        "at = '-infinity'",
        "at = '20000-01-01'",
        "at = '0044-03-15 BC'",
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_hides_no_other(
    superuser: Superuser, chains: list[uuid.UUID], change: str
) -> None:
    behind(
        superuser,
        f"UPDATE audit_event SET {change} WHERE chain = '{chains[1]}' AND seq = 2",
        f"DELETE FROM audit_event WHERE chain = '{chains[2]}' AND seq = 1",
    )
    found = verify()
    assert f"chain {chains[1]}, link 2: the hash does not fit" in found
    assert f"chain {chains[2]}, link 2: link 1 is missing" in found


@pytest.mark.parametrize("data", ['{"branches":0}', '{"branches":{"x":[0,"00"]}}', '{"of_run":', '"of_run":1'])
def test_an_unsealed_row_whose_hash_fits_and_whose_data_are_none_is_named(
    superuser: Superuser, chains: list[uuid.UUID], data: str
) -> None:
    name = chain(1)
    head = link_hash(bytes(AuditEvent.objects.get(chain=name).hash), name, 1, "step.succeeded", "a", "", LONG_AGO, data)
    run = AuditEvent.objects.get(chain=name).run
    fields = {"kind": "step.succeeded", "actor": "a", "at": LONG_AGO, "data": data, "hash": head, "run": run}
    AuditEvent.objects.create(chain=name, seq=1, **fields)
    assert f"chain {name}, link 1: what it says" in verify()


@pytest.mark.parametrize("data", ["{", "[]", "{}", '{"batch": 1}', '{"batch": "x", "root": "", "chains": 1}'])
def test_a_pruning_that_cannot_be_read_is_named_and_hides_no_other(
    superuser: Superuser, chains: list[uuid.UUID], data: str
) -> None:
    record(chain=TRAIL, kind="audit.pruned", actor="t")
    behind(
        superuser,
        f"UPDATE audit_event SET data = '{data}' WHERE chain = '{TRAIL}'",
        f"DELETE FROM audit_event WHERE chain = '{chains[2]}' AND seq = 1",
    )
    found = verify()
    assert f"link 0 of {TRAIL}: what it says of a pruning cannot be read" in found
    assert f"chain {chains[2]}, link 2: link 1 is missing" in found


@pytest.mark.parametrize("change", ["at = 'infinity'", "at = '0044-03-15 BC'"])
def test_a_seal_that_cannot_be_read_is_named_and_hides_no_other(
    superuser: Superuser, chains: list[uuid.UUID], change: str
) -> None:
    behind(
        superuser,
        f"UPDATE audit_seal SET {change} WHERE number = 0",
        f"DELETE FROM audit_event WHERE chain = '{chains[2]}' AND seq = 1",
    )
    found = verify()
    assert "seals: they cannot be read" in found
    assert f"chain {chains[2]}, link 2: link 1 is missing" in found


def test_the_seals_over_one_chain_are_verified_with_it(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    told, wrong = said(chain=chains[1])
    assert "2 seals: the last one is signed with the key that is trusted here" in told
    assert not wrong
    behind(superuser, "UPDATE audit_seal SET signature = '' WHERE number = 1")
    assert "seal 1: its signature is not one of its key" in verify(chain=chains[1])
    behind(superuser, "UPDATE audit_seal SET root = hash WHERE number = 0")
    assert "seal 0: the hash does not fit the row" in verify(chain=chains[1])
    assert "the 3 heads under it are not the 3 of which it was made" in verify(chain=chains[1])


def test_every_finding_is_told_and_many_are_counted(superuser: Superuser, chains: list[uuid.UUID]) -> None:
    many = [chain(1) for _ in range(150)]
    behind(superuser, "UPDATE audit_event SET reason = 'x'")
    found = verify()
    assert f"{len(many) + len(chains)} findings, of which 100 are shown" in found
    assert found.count("\n") == 100


def test_links_written_after_the_last_seal_are_no_findings(chains: list[uuid.UUID]) -> None:
    extend(chains[1], 3)
    chain(2)
    assert verify() == "whole"


def test_a_broken_chain_is_found_whatever_part_it_is_in(
    superuser: Superuser, chains: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.verify._BORDERS", BORDERS)
    behind(superuser, *(f"DELETE FROM audit_event WHERE chain = '{name}' AND seq = 1" for name in chains))
    found = verify(processes=2)
    assert all(f"chain {name}, link 2: link 1 is missing" in found for name in chains)
    assert "4 findings" in found


def test_verification_in_a_transaction_sees_what_the_transaction_wrote() -> None:
    with transaction.atomic():
        chain(3)
        assert verify() == "whole"
        assert connection.in_atomic_block
