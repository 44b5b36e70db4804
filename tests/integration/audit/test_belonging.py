"""Links that are hung on another run: nothing of a link's hash may be read apart from the run that it is about."""

import json
import uuid
from pathlib import Path

import pytest
from django.core.management import call_command

from audit import sealing
from audit.formulas import GENESIS, link_hash
from audit.models import AuditEvent
from audit.recording import record
from dotdo_site.lib.ids import uuid7
from tests.integration.audit.trails import LONG_AGO, Superuser, behind, chain, judged, verify
from tests.support.engine import finished, start_action
from workflows.models import Branch

pytestmark = pytest.mark.usefixtures("handlers")
OTHER = uuid.UUID(int=7)


def given_to_another_run(superuser: Superuser, name: uuid.UUID, where: str = "") -> None:
    behind(superuser, f"UPDATE audit_event SET run = '{OTHER}' WHERE chain = '{name}' {where}")


def of_a_former_release(links: int = 3, *, run: uuid.UUID | None) -> uuid.UUID:
    """Write a chain whose first link does not say whose it is."""
    name, head = uuid7(), GENESIS
    for seq in range(links):
        kind = "step.succeeded" if seq else "run.started"
        head = link_hash(head, name, seq, kind, "user:a", "", LONG_AGO, "{}")
        fields = {"kind": kind, "actor": "user:a", "at": LONG_AGO, "data": "{}", "hash": head, "run": run}
        AuditEvent.objects.create(chain=name, seq=seq, **fields)
    return name


def test_a_whole_chain_that_was_given_to_another_run_is_found(superuser: Superuser, tmp_path: Path) -> None:
    name = chain(3)
    sealing.seal()
    given_to_another_run(superuser, name)
    assert f"chain {name}, link 0: it says that it is of another run" in verify()
    for number, wanted in enumerate(({}, {"run": OTHER}, {"chain": name})):
        call_command("export_audit", to=tmp_path / str(number), **wanted)
        assert any("link 0: it says that it is of another run" in text for text in judged(tmp_path / str(number)))


def test_a_run_whose_chain_was_given_to_another_is_found_by_its_branch(superuser: Superuser) -> None:
    run = start_action("test-echo", {"value": 1})
    finished(run)
    branch = Branch.objects.get(run=run)
    old = of_a_former_release(run=run)
    head = AuditEvent.objects.filter(chain=old).order_by("-seq").values_list("hash", flat=True)[0]
    moved = f"'{old}', audit_seq = 2, audit_head = '\\x{bytes(head).hex()}'"
    behind(
        superuser,
        f"DELETE FROM audit_event WHERE chain = '{branch.id}'",
        f"UPDATE step SET branch_id = '{old}' WHERE branch_id = '{branch.id}'",
        f"UPDATE branch SET id = {moved} WHERE id = '{branch.id}'",
    )
    assert verify() == "whole"
    given_to_another_run(superuser, old)
    assert f"chain {old}, link 2: it is not of the run that its branch belongs to" in verify()
    assert f"chain {old}, link 2: it is not of the run that its branch belongs to" in verify(chain=old)


@pytest.mark.parametrize("seq", [0, 1, 2])
def test_a_link_that_was_given_to_another_run_is_missed_in_the_export_of_its_run(
    superuser: Superuser, tmp_path: Path, seq: int
) -> None:
    run = uuid7()
    name = chain(3, run=run)
    sealing.seal()
    given_to_another_run(superuser, name, f"AND seq = {seq}")
    assert f"chain {name}, link" in verify()
    call_command("export_audit", to=tmp_path / "run", run=run)
    assert any(f"chain {name}, link" in text for text in judged(tmp_path / "run"))


def test_an_old_chain_without_the_run_in_it_still_verifies_and_its_links_stay_together(
    superuser: Superuser, tmp_path: Path
) -> None:
    old = of_a_former_release(run=uuid7())
    sealing.seal()
    call_command("export_audit", to=tmp_path / "before")
    assert (verify(), judged(tmp_path / "before")) == ("whole", [])
    given_to_another_run(superuser, old, "AND seq = 1")
    call_command("export_audit", to=tmp_path / "after")
    assert f"chain {old}, link 1: it names another run than the beginning of its chain" in verify()
    assert any(f"chain {old}, link 1: it names another run" in text for text in judged(tmp_path / "after"))


def test_a_first_link_without_its_run_is_found(superuser: Superuser) -> None:
    old = of_a_former_release(run=uuid7())
    behind(superuser, f"UPDATE audit_event SET run = NULL WHERE chain = '{old}' AND seq = 0")
    assert f"chain {old}, link 1: it names another run than the beginning of its chain" in verify()


def test_an_event_of_a_run_in_a_chain_of_something_else_says_whose_it_is(superuser: Superuser, tmp_path: Path) -> None:
    run, shared = uuid7(), uuid7()
    for owner in (None, run, None):
        record(chain=shared, kind="entry.written", actor="t", run=owner)
    assert json.loads(AuditEvent.objects.get(chain=shared, seq=1).data) == {"of_run": str(run)}
    sealing.seal()
    assert verify() == "whole"
    given_to_another_run(superuser, shared, "AND seq = 1")
    assert f"chain {shared}, link 1: it says that it is of another run" in verify()
    call_command("export_audit", to=tmp_path / "all")
    assert any("link 1: it says that it is of another run" in text for text in judged(tmp_path / "all"))
