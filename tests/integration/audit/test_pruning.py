"""What was pruned behind a tombstone still verifies; nothing else can be pruned, and no tombstone can be forged."""

import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from audit import pruning, sealing, walking
from audit.models import AuditEvent, Tombstone
from audit.recording import TRAIL, record
from dotdo_site.lib import signs
from dotdo_site.lib.ids import uuid7
from tests.integration.audit.trails import LONG_AGO, Superuser, behind, chain, extend, verify
from tests.support import rows
from tests.support.engine import finished, start_action
from workflows.models import Branch

pytestmark = pytest.mark.usefixtures("handlers")
BEFORE = datetime(2025, 1, 1, tzinfo=UTC)


def prune(*chains: uuid.UUID, before: datetime = BEFORE) -> int:
    return pruning.prune(chains, before=before, actor="user:test", reason="law", export="sha256:00").chains


def left() -> set[uuid.UUID]:
    return set(AuditEvent.objects.filter(kind="run.started").values_list("chain", flat=True))


def test_pruned_chains_leave_a_tombstone_and_everything_verifies() -> None:
    gone, kept = chain(4), chain(4)
    sealing.seal()
    extend(gone, 1)
    sealing.seal()
    assert prune(gone) == 1
    assert gone not in left()
    assert kept in left()
    stone = Tombstone.objects.get()
    assert (stone.chain, stone.seq, stone.export) == (gone, 4, "sha256:00")
    event = AuditEvent.objects.get(kind="audit.pruned")
    assert (event.chain, event.reason) == (TRAIL, "law")
    assert str(stone.batch) in event.data
    assert verify() == "whole"
    sealing.seal()
    assert verify() == "whole"


def test_what_is_not_sealed_or_not_old_or_not_gone_or_not_whole_stays(superuser: Superuser) -> None:
    run_id = start_action("test-echo", {"value": 1})
    finished(run_id)
    alive = Branch.objects.get(run=run_id).id
    record(chain=TRAIL, kind="audit.exported", actor="user:test")
    mixed, torn, grown = chain(2), chain(3), chain(2)
    extend(mixed, 1, run=run_id)
    sealing.seal()
    extend(grown, 1)
    fresh = chain(1)
    behind(superuser, f"DELETE FROM audit_event WHERE chain = '{torn}' AND seq = 1")
    assert prune(alive, mixed, torn, fresh, grown, TRAIL, uuid7(), before=timezone.now()) == 0
    assert Tombstone.objects.count() == 0
    assert not AuditEvent.objects.filter(kind="audit.pruned").exists()


def test_a_chain_is_as_old_as_its_last_link() -> None:
    name = chain(2)
    extend(name, 1, at=timezone.now())
    sealing.seal()
    assert prune(name) == 0
    assert prune(name, before=timezone.now() + timedelta(days=1)) == 0, "the future is no past"


def test_the_chore_prunes_what_the_setting_says_in_batches(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    monkeypatch.setattr(pruning, "_walk", pruning.Walk())
    old = [chain(2) for _ in range(5)]
    young = chain(2, at=timezone.now())
    sealing.seal()
    pruning.prune_due()
    assert left() == {*old, young}, "without the setting everything is kept"
    settings.AUDIT_DAYS = 30
    pruning.prune_due()
    assert left() == {young}
    assert AuditEvent.objects.filter(kind="audit.pruned").count() == 3
    assert verify() == "whole"


def test_long_chains_are_not_pruned_in_one_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "LINKS", 6)
    for links in (3, 3, 2, 9, 1):
        chain(links)
    sealing.seal()
    done = pruning.prune_old(BEFORE, actor="user:test", reason="law", rounds=10)
    assert done == pruning.Pruned(chains=5, links=18)
    told = AuditEvent.objects.filter(kind="audit.pruned").order_by("id")
    assert [json.loads(event.data)["links"] for event in told] == [6, 2, 9, 1]


def test_chains_that_stay_are_not_read_again_every_hour(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AUDIT_DAYS = 30
    monkeypatch.setattr(pruning, "_walk", pruning.Walk())
    run_id = start_action("test-echo", {"value": 1})
    finished(run_id)
    for _ in range(3):
        chain(2, run=run_id)
    kept = chain(2, run=run_id)
    sealing.seal()
    pruning.prune_due()
    place = pruning._walk.place
    assert place[1] == AuditEvent.objects.get(chain=kept, seq=0).id
    gone = chain(2, at=LONG_AGO + timedelta(days=1))
    sealing.seal()
    pruning.prune_due()
    assert gone not in left()
    assert pruning._walk.place > place
    missed = chain(2)
    sealing.seal()
    pruning.prune_due()
    assert missed in left(), "it is behind the walk"
    monkeypatch.setattr(pruning, "AGAIN_SECONDS", 0.0)
    pruning.prune_due()
    assert missed not in left()


def test_a_round_that_looks_for_long_gives_signs_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[int]()
    monkeypatch.setattr(signs, "_ways", [lambda: given.append(1)])
    monkeypatch.setattr(pruning, "PAGE", 1)
    for _ in range(3):
        chain(1)
    sealing.seal()
    walk, before = pruning.Walk(), len(given)
    pruning.prune_old(BEFORE, actor="user:test", reason="law", rounds=10, until=time.monotonic() - 1, walk=walk)
    assert walk.place == pruning.START
    pruning.prune_old(BEFORE, actor="user:test", reason="law", rounds=10, walk=walk)
    assert walk.ended
    assert len(given) - before == 4


def test_the_oldest_chains_are_found_by_an_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_event (chain, seq, kind, actor, reason, at, data, hash) SELECT md5(c::text)::uuid, s, "
            "'run.started', 'cli:test', '', now(), '{}', '' FROM generate_series(1, 400) c, generate_series(0, 4) s"
        )
        rows.analyze("audit_event")
        cursor.execute("SET enable_seqscan = off")
        try:
            cursor.execute(f"EXPLAIN {pruning._OLD}", [BEFORE, *pruning.START, 5_000])
            plan = "\n".join(row[0] for row in cursor.fetchall())
        finally:
            cursor.execute("RESET enable_seqscan")
    assert "audit_event_first" in plan


def test_pruning_a_fork_keeps_what_its_chain_vouched_for_verifiable() -> None:
    branch = chain(3)
    head = bytes(AuditEvent.objects.get(chain=branch, seq=2).hash).hex()
    root, run = uuid7(), uuid7()
    record(chain=root, kind="run.started", actor="t", run=run)
    record(chain=root, kind="step.succeeded", actor="t", run=run, data={"branches": {str(branch): [2, head]}})
    sealing.seal()
    assert prune(branch) == 1
    assert verify() == "whole"


@pytest.fixture
def pruned() -> uuid.UUID:
    name, other = chain(3), chain(3)
    chain(2)
    sealing.seal()
    assert prune(name, other) == 2
    sealing.seal()
    return name


TAMPERING = {
    "seq = seq + 1": "the tombstone does not name the link that seal 0 knows",
    r"hash = '\x00'": "the tombstone does not name the link that seal 0 knows",
    "export = 'nowhere'": "its tombstones are not those that link 0",
    "at = at + interval '1 day'": "its tombstones are not those that link 0",
    "batch = gen_random_uuid()": "no event tells of its pruning",
}


@pytest.mark.parametrize("change", TAMPERING)
def test_a_changed_tombstone_is_found(superuser: Superuser, pruned: uuid.UUID, change: str) -> None:
    behind(superuser, f"UPDATE audit_tombstone SET {change} WHERE chain = '{pruned}'")
    assert TAMPERING[change] in verify()


def test_a_tombstone_that_was_taken_away_is_found(superuser: Superuser, pruned: uuid.UUID) -> None:
    behind(superuser, f"DELETE FROM audit_tombstone WHERE chain = '{pruned}'")
    assert f"chain {pruned}, link 2: the whole chain is gone" in verify()


@pytest.mark.parametrize("told", [True, False])
def test_a_chain_deleted_behind_a_forged_tombstone_is_found(
    superuser: Superuser, pruned: uuid.UUID, told: bool
) -> None:
    name = AuditEvent.objects.get(kind="run.started", seq=0).chain
    batch = Tombstone.objects.get(chain=pruned).batch if told else uuid.uuid4()
    copy = f"SELECT chain, seq, hash, now(), now(), now(), '{batch}', '' FROM audit_event"
    behind(superuser, f"INSERT INTO audit_tombstone {copy} WHERE chain = '{name}' AND seq = 1")
    assert f"chain {name}, link 1: its chain was pruned, and yet links of it are there" in verify()
    behind(superuser, f"DELETE FROM audit_event WHERE chain = '{name}'")
    forged = f"chain {name}: it has a tombstone, but no event tells of its pruning"
    assert ("its tombstones are not those" if told else forged) in verify()


def test_a_pruning_that_was_made_without_telling_is_found() -> None:
    name = chain(1)
    sealing.seal()
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_prune(%s::uuid[], now(), gen_random_uuid(), '')", [[name]])
    assert f"chain {name}: it has a tombstone, but no event tells of its pruning" in verify()


def test_a_chain_that_is_pruned_while_it_is_verified_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    names = sorted(chain(3) for _ in range(4))
    sealing.seal()
    monkeypatch.setattr(walking, "CHUNK", 2)
    pages, original = [], walking._pages

    def pages_with_a_pruning_between(*arguments: object, **named: object) -> object:
        for page in original(*arguments, **named):  # type: ignore[arg-type]
            pages.append(page)
            if len(pages) == 4:
                assert prune(*names) == 4
            yield page

    monkeypatch.setattr(walking, "_pages", pages_with_a_pruning_between)
    assert verify() == "whole"
    assert Tombstone.objects.count() == 4
