"""Verifying a long trail takes little memory and not much time, also beside erasure of what the links are about."""

import random
import time
import tracemalloc
import uuid
from datetime import timedelta

import pytest

from audit import sealing, walking
from audit.formulas import GENESIS, RUN, link_hash
from audit.verify import verify
from dotdo_site.lib import canonical
from tests.integration.audit.trails import LONG_AGO, Superuser, behind
from tests.integration.audit.trails import verify as verify_audit
from tests.support.documents import publish
from tests.support.engine import finished, start_workflow
from workflows.models import Run

pytestmark = pytest.mark.usefixtures("database")
PER_CHAIN = 12
FORK = "do: [{both: {fork: {branches: [{left: {call: test-echo}}, {right: {call: test-echo}}]}}}]"
COLUMNS = "chain, seq, run, kind, actor, reason, at, data, hash"


def fill(superuser: Superuser, events: int) -> None:
    """Write chains as runs leave them, quickly."""
    chance = random.Random(events)
    with superuser.cursor() as cursor, cursor.copy(f"COPY audit_event ({COLUMNS}) FROM STDIN") as copy:
        for _ in range(events // PER_CHAIN):
            name, run, head = uuid.UUID(int=chance.getrandbits(128)), uuid.UUID(int=chance.getrandbits(128)), GENESIS
            for seq in range(PER_CHAIN):
                kind, actor = ("run.started", "user:a") if seq == 0 else ("step.succeeded", f"worker:{run}")
                said = {} if seq else {RUN: str(run)}
                digest = f"{chance.getrandbits(256):064x}"
                data = canonical.dumps({"step": f"/do/{seq}", "input": digest, "claim": 1, **said})
                at = LONG_AGO + timedelta(milliseconds=seq)
                head = link_hash(head, name, seq, kind, actor, "", at, data)
                copy.write_row((name, seq, run, kind, actor, "", at, data, head))


def peak(superuser: Superuser, events: int) -> int:
    """Return the bytes that verifying one more batch of events takes at most."""
    fill(superuser, events)
    sealing.seal()
    tracemalloc.start()
    assert verify(processes=1).broken == []
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_memory_does_not_grow_with_the_trail(superuser: Superuser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "CHUNK", 500)
    small = peak(superuser, 3_000)
    assert peak(superuser, 24_000) < 1.5 * small


def test_every_core_verifies_many_events_a_second(superuser: Superuser) -> None:
    fill(superuser, 48_000)
    sealing.seal()
    began = time.process_time()  # this process's own time: the machine may be busy with other things
    result = verify(processes=1)
    assert (result.broken, result.events, result.chains) == ([], 48_000, 4_000)
    assert result.events / (time.process_time() - began) > 50_000


def test_several_processes_find_the_same(superuser: Superuser) -> None:
    fill(superuser, 36_000)
    sealing.seal()
    superuser.execute("ANALYZE audit_event")
    behind(superuser, "DELETE FROM audit_event WHERE id % 12000 = 6")
    one, two = verify(processes=1), verify(processes=2)
    assert (one.events, one.chains) == (two.events, two.chains) == (35_997, 3_000)
    assert one.broken == two.broken
    assert len(one.broken) == 3


def test_every_chain_verifies_after_its_run_was_deleted(superuser: Superuser, handlers: None) -> None:
    name = publish("forked", FORK)
    runs = [start_workflow(name, {"name": "Ada"}) for _ in range(2)]
    assert all(finished(run).state == "succeeded" for run in runs)
    sealing.seal()
    tables = ("payload", "attempt", "undo", "message", "idempotency_key", "step", "branch")
    steps = f"(SELECT id FROM step WHERE run_id = '{runs[0]}')"
    for table in tables:
        where = f"step_id IN {steps}" if table == "attempt" else f"run_id = '{runs[0]}'"
        behind(superuser, f"DELETE FROM {table} WHERE {where}")
    behind(superuser, f"DELETE FROM run WHERE id = '{runs[0]}'")
    assert list(Run.objects.values_list("pk", flat=True)) == [runs[1]]
    assert verify_audit() == "whole"
