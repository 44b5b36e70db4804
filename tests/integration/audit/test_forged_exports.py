"""Exports of a trail that somebody forged are not taken for whole, and those made beside a pruning are."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from audit import anchoring, exporting, lines, pruning, sealing
from audit.models import AuditEvent, Seal, Tombstone
from audit.recording import TRAIL, record
from dotdo_site.lib.ids import uuid7
from tests.integration.api.conftest import Caller
from tests.integration.audit.trails import Superuser, behind, chain, extend, judged, ndjson

pytestmark = pytest.mark.usefixtures("database")
BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
FORGED = """
    INSERT INTO audit_tombstone (chain, seq, hash, first_at, last_at, at, batch, export)
    SELECT chain, seq, hash, at, at, now(), '{}', '' FROM audit_event WHERE chain = '{}' AND seq = 2
"""


def exported(path: Path, **wanted: Any) -> Path:
    call_command("export_audit", to=path, **wanted)
    return path


def prune(*names: uuid.UUID) -> None:
    assert pruning.prune(names, before=BEFORE, actor="user:test").chains == len(names)


@pytest.mark.parametrize("batch", ["new", "that of a pruning"])
def test_a_forged_tombstone_hides_no_chain_in_an_export(superuser: Superuser, tmp_path: Path, batch: str) -> None:
    gone, name = chain(3), chain(3)
    sealing.seal()
    prune(gone)
    sealing.seal()
    assert judged(exported(tmp_path / "before")) == []
    number = Tombstone.objects.get().batch if batch != "new" else uuid.uuid4()
    behind(superuser, FORGED.format(number, name), f"DELETE FROM audit_event WHERE chain = '{name}'")
    forged = [f"chain {name}: it has a tombstone, but no event tells of its pruning"]
    mixed = [f"pruning {number}: its tombstones are not those that link 1 of {TRAIL} names"]
    found = judged(exported(tmp_path / "after"))
    assert found == (forged if batch == "new" else [mixed[0].replace("link 1", "link 0")])


@pytest.mark.parametrize("seq", [0, 1])
def test_a_link_left_out_of_an_export_of_a_chain_is_missed(superuser: Superuser, tmp_path: Path, seq: int) -> None:
    name = chain(3)
    sealing.seal()
    made = ndjson(exported(tmp_path / "made", chain=name).read_text())
    links = [line for line in made if line["type"] == "link"]
    made.remove(links[seq])
    links[seq + 1]["previous"] = links[seq]["hash"]
    path = tmp_path / "cut"
    path.write_text("".join(lines.line(line) + "\n" for line in made))
    assert f"chain {name}, link {seq + 1}: link {seq} is missing" in judged(path)


def test_a_chain_that_is_gone_is_missed_in_an_export_of_it(superuser: Superuser, tmp_path: Path) -> None:
    name, pruned = chain(3), chain(3)
    sealing.seal()
    prune(pruned)
    behind(superuser, f"DELETE FROM audit_event WHERE chain = '{name}'")
    (found,) = judged(exported(tmp_path / "gone", chain=name))
    assert f"chain {name}: seal 0 knows link 2, and neither links nor a fitting tombstone are here" in found
    assert judged(exported(tmp_path / "pruned", chain=pruned)) == []


def test_seals_that_the_copy_has_and_an_older_database_has_not_are_missed(
    superuser: Superuser, tmp_path: Path, settings: Settings
) -> None:
    copy = tmp_path / "anchor"
    settings.AUDIT_ANCHOR_FILE = str(copy)
    name = chain(1)
    sealing.seal()
    extend(name, 1)
    sealing.seal()
    anchoring.deliver()
    assert judged(exported(tmp_path / "whole"), seals=copy) == []
    made = {number: lines.of_seal(seal) for number, seal in Seal.objects.in_bulk().items()}
    behind(
        superuser,
        "DELETE FROM audit_sealed_head WHERE seal_id = 1",
        "DELETE FROM audit_seal WHERE number = 1",
        f"DELETE FROM audit_event WHERE chain = '{name}' AND seq = 1",
    )
    for number, wanted in enumerate(({}, {"chain": name})):
        path = exported(tmp_path / str(number), **wanted)
        assert judged(path, seals=copy) == [], "it may have been under way"
        _later(path, timedelta(hours=1))
        text = "seal 1: the copy has it, made before this export, which knows seals up to 0"
        assert text in judged(path, seals=copy)
    assert len(made) == 2


def _later(path: Path, by: timedelta) -> None:
    """Let an export have been made later."""
    made = ndjson(path.read_text())
    made[0]["at"] = (timezone.now() + by).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    path.write_text("".join(lines.line(line) + "\n" for line in made))


def _beside(monkeypatch: pytest.MonkeyPatch, source: str, act: Callable[[], None], *, at: int) -> None:
    """Do something before a row of a part of the export is read."""
    original = getattr(exporting, source)

    def beside(*arguments: Any) -> Iterator[Any]:
        for number, row in enumerate(original(*arguments)):
            if number == at:
                act()
            yield row

    monkeypatch.setattr(exporting, source, beside)


@pytest.mark.parametrize("source", ["_all_seals", "_walk", "_tombstones"])
@pytest.mark.parametrize("at", range(4))
def test_an_export_that_was_made_while_chains_were_pruned_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, at: int
) -> None:
    record(chain=TRAIL, kind="audit.exported", actor="user:test")
    first = sorted(chain(3) for _ in range(3))
    names = sorted(chain(3) for _ in range(3))
    late = uuid.UUID("ffffffff-0000-7000-8000-000000000000")
    extend(late, 3, run=uuid7())
    sealing.seal()
    prune(*first)
    monkeypatch.setattr(exporting, "PAGE", 2)
    _beside(monkeypatch, source, lambda: prune(*names, late) if names[0] in _there() else None, at=at)
    assert judged(exported(tmp_path / "beside")) == []


def _there() -> set[uuid.UUID]:
    return set(AuditEvent.objects.values_list("chain", flat=True))


def test_a_chain_that_was_pruned_while_a_part_of_it_was_exported_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = chain(6)
    sealing.seal()
    monkeypatch.setattr(exporting, "PAGE", 2)
    _beside(monkeypatch, "_chain", lambda: prune(name) if name in _there() else None, at=1)
    path = exported(tmp_path / "beside", chain=name)
    assert [line["seq"] for line in ndjson(path.read_text()) if line["type"] == "link"] == [0, 1]
    assert judged(path) == []


def test_an_export_of_a_chain_that_nearly_all_seals_know_is_left_to_the_command(
    tmp_path: Path, with_key: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.api.audit.MOST_HEADS", 3)
    for _ in range(2):
        record(chain=TRAIL, kind="audit.exported", actor="user:test")
        chain(2)
        sealing.seal()
    caller = with_key("audit:export", role="Auditor")
    answer = caller("GET", f"audit/export?chain={TRAIL}")
    assert answer.status_code == 400
    assert "manage.py export_audit" in answer.json()["detail"]
    assert caller("GET", f"audit/export?chain={TRAIL}&kind=csv").status_code == 200
    assert caller("GET", "audit/export").status_code == 200
    assert judged(exported(tmp_path / "all", chain=TRAIL)) == []
