"""Fences never go backwards: not with a restore, not with a standby that takes over without the last commits."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connections, transaction

from audit.models import AuditEvent
from tests.support.cluster import sql
from tests.support.engine import start_action, work_until_idle
from workflows import epoch, outage
from workflows.identity import identity
from workflows.models import Epoch

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.fixture(autouse=True)
def unknown() -> Iterator[None]:
    """Let no test know what another one read."""
    epoch.forget()
    yield
    epoch.forget()


def raised() -> int:
    return AuditEvent.objects.filter(kind="epoch.raised").count()


def promote() -> None:
    """Make the row look as it does on a standby that was promoted: the server's timeline is another one."""
    Epoch.objects.update(timeline="00000000")


def test_a_fence_grows_with_each_claim_and_fits_into_json(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    start_action("test-outside", {"file": str(file), "fail": 2})
    work_until_idle()
    fences = [int(line.split()[2]) for line in file.read_text().splitlines()]
    assert fences == [fences[0], fences[0] + 1, fences[0] + 2]
    assert fences[0] % 2**epoch.CLAIM_BITS == 1
    assert fences[0] < 2**53
    assert raised() == 0, "the first epoch of a database is no event"


def test_a_promoted_standby_raises_the_epoch_by_itself() -> None:
    many_claims = epoch.fence(1_000_000)
    promote()
    epoch.forget()
    assert epoch.fence(1) > many_claims
    assert raised() == 1


def test_a_worker_that_lost_its_connection_asks_which_server_it_has_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    before = epoch.fence(5)
    promote()
    assert epoch.fence(5) == before, "as long as the connection lives, so does the server"
    outage.troubles.wait(OSError("gone"))
    identity().take()
    assert epoch.fence(1) > before


def test_a_raise_by_hand_reaches_a_busy_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    before = epoch.fence(9)
    monkeypatch.setattr(epoch, "_known", list(epoch._known))  # what another process knows
    call_command("raise_epoch", "--reason", "put back by hand")
    monkeypatch.setattr(epoch, "LOOK_SECONDS", 0.0)
    identity().take()
    assert epoch.fence(1) > before
    event = AuditEvent.objects.get(kind="epoch.raised")
    assert (event.reason, event.actor.partition(":")[0]) == ("put back by hand", "cli")


def test_of_many_who_notice_at_once_one_raises() -> None:
    epoch.look()
    promote()
    epoch.forget()
    values: list[int] = []
    together = threading.Barrier(4)

    def notice() -> None:
        together.wait()
        values.append(epoch._read() or epoch._lift(always=False, actor="system", reason="test") or epoch._read())
        connections.close_all()

    threads = [threading.Thread(target=notice) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(values)) == 1
    assert raised() == 1


def test_the_database_refuses_an_epoch_that_falls() -> None:
    value = epoch.look()
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        Epoch.objects.update(value=value - 1)
    with pytest.raises(DatabaseError), transaction.atomic():
        Epoch.objects.create(id=2, value=value, server="", timeline="")


def test_an_epoch_is_a_moment_so_that_what_was_made_before_there_were_any_rises_too() -> None:
    epoch.look()
    Epoch.objects.filter(id=1).delete()  # what a backup of a release without epochs leaves
    first = epoch.lift(actor="system", reason="test")
    assert sql("SELECT %s >= extract(epoch FROM now() - '2026-01-01 00:00Z') - 60", first) == [(True,)]


def test_a_busy_worker_reads_the_epoch_once_a_second_and_not_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = epoch._read

    def counted() -> int:
        reads.append(1)
        return read()

    monkeypatch.setattr(epoch, "_read", counted)
    monkeypatch.setattr(epoch, "LOOK_SECONDS", 3600.0)
    for n in range(20):
        start_action("test-echo", {"value": n})
    work_until_idle()
    assert len(reads) == 1


def test_a_server_that_does_not_say_who_it_is_gives_an_epoch_that_is_raised_by_hand(
    superuser: "psycopg.Connection[tuple[Any, ...]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoch, "_statements", [epoch._told])
    superuser.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        before = epoch.look()
        epoch.forget()
        assert epoch.look() == before
        assert epoch.lift(actor="system", reason="test") > before
    finally:
        superuser.execute("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
