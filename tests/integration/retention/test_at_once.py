"""Retention beside everybody else: two hosts, operators, late workers, crashes, and disks that are full."""

import errno
import os
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from audit.models import AuditEvent
from audit.verify import verify
from tests.integration.retention.aging import aged, behind_the_back, family, old_action, there, written
from tests.support.documents import publish
from tests.support.engine import begin, start_action, work_until_idle
from tests.support.interleaving import Doing, Turn, before_checkpoint, work_on
from workflows import housekeeping, operations, retention, scheduling
from workflows.housekeeping import Chore
from workflows.models import Chore as ChoreRow
from workflows.models import Run, Schedule, ScheduleFire, Step
from workflows.operations import UnknownRun
from workflows.retention import archive as files
from workflows.retention import deleting, picking

WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}
CHILD = "do:\n- no: {call: test-refuses}\n"
MAP = "do:\n- all: {call: map, with: {items: [1], onError: collect, workflow: {name: child}}}\n"


def stop_before(name: str, monkeypatch: pytest.MonkeyPatch) -> Turn:
    """Stop the round that comes first when it has locked, or written, what it is going to delete."""
    turn, real = Turn(name), getattr(deleting, name)

    def wrapped(*args: Any) -> Any:
        turn.stop()
        return real(*args)

    monkeypatch.setattr(deleting, name, wrapped)
    return turn


def test_two_hosts_at_once_delete_each_run_once(archive: Path) -> None:
    runs = [old_action(n) for n in range(30)]
    hosts = [Doing(lambda: retention.delete_due(10)) for _ in range(4)]
    for host in hosts:
        host.done()
    assert there(*runs) == set()
    assert [line["run"]["id"] for line in written(archive)] == [str(run) for run in sorted(runs)]
    assert verify().broken == []


def test_a_run_that_another_host_holds_is_left_to_it(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = old_action()
    turn = stop_before("remove", monkeypatch)
    other = Doing(retention.delete_due)
    turn.reached()
    assert retention.delete_due() == 0
    assert there(run) == {run}
    turn.go()
    other.done()
    assert there(run) == set()
    assert len(written(archive)) == 1


def test_a_dead_letter_that_is_retried_at_this_moment_is_retried_or_was_not_one(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("child", CHILD)
    run = begin(MAP)
    work_until_idle()
    child = family(run)[1]
    operations.resolve(child, **WHY)
    aged(run, child)
    turn = stop_before("remove", monkeypatch)
    deletion = Doing(retention.delete_due)
    turn.reached()
    cancelling = Doing(lambda: operations.cancel(child, **WHY))
    assert cancelling.blocked()
    turn.go()
    deletion.done()
    with pytest.raises(UnknownRun):
        cancelling.done()
    assert there(run, child) == set()


def test_a_family_that_an_operator_holds_waits_for_the_next_round(archive: Path) -> None:
    publish("child", CHILD)
    run = begin(MAP)
    work_until_idle()
    child = family(run)[1]
    operations.resolve(child, **WHY)
    aged(run, child)
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=child)
        deleted = list[int]()
        Doing(lambda: deleted.append(retention.delete_due())).done()
    assert deleted == [0]
    assert there(run, child) == {run, child}
    assert retention.delete_due() == 2


def test_a_child_that_goes_on_between_two_looks_keeps_its_family(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("child", CHILD)
    run = begin(MAP)
    work_until_idle()
    child = family(run)[1]
    operations.resolve(child, **WHY)
    aged(run, child)
    first = picking._first

    def meanwhile(found: list[picking.Family]) -> list[picking.Family]:
        behind_the_back("UPDATE run SET state = 'running' WHERE id = %(run)s", {"run": child})
        return first(found)

    monkeypatch.setattr(picking, "_first", meanwhile)
    assert retention.delete_due() == 0
    assert there(run, child) == {run, child}


def test_a_run_in_which_somebody_still_works_is_kept(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin("do:\n- slow: {call: test-outside, with: {file: /dev/null}}\n")
    turn = before_checkpoint("slow", monkeypatch)
    working = work_on("slow")
    turn.reached()
    operations.cancel(run, **WHY)
    aged(run)
    assert retention.delete_due() == 0
    assert there(run) == {run}
    turn.go()
    working.done()
    assert retention.delete_due() == 1


def test_a_late_worker_changes_nothing_of_a_run_that_is_gone(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin("do:\n- slow: {call: test-outside, with: {file: /dev/null}}\n")
    turn = before_checkpoint("slow", monkeypatch)
    working = work_on("slow")
    turn.reached()
    operations.cancel(run, **WHY)
    with connection.cursor() as cursor:  # its lease ran out, and others have closed the step
        cursor.execute(
            "UPDATE step SET state = 'cancelled', leased_by = NULL, lease_expires_at = NULL, finished_at = now() "
            "WHERE run_id = %s AND state = 'running'",
            [run],
        )
    aged(run)
    assert retention.delete_due() == 1
    events = AuditEvent.objects.count()
    turn.go()
    working.done()
    assert AuditEvent.objects.count() == events
    assert not Step.objects.filter(run=run).exists()


def test_a_crash_between_the_file_and_the_commit_loses_nothing(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = old_action()
    child = os.fork()
    if child == 0:
        _inherited, connection.connection = connection.connection, None  # closing it would close the parent's
        keep = files.Written.keep

        def killed(written: files.Written) -> None:
            keep(written)
            os.kill(os.getpid(), 9)

        monkeypatch.setattr(files.Written, "keep", killed)
        try:
            retention.delete_due()
        except BaseException:  # noqa: BLE001 - told, and then the process ends
            traceback.print_exc()
        finally:
            os._exit(1)  # whatever happens: what runs the tests must not go on twice
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    assert there(run) == {run}
    assert len(written(archive)) == 1
    deadline = time.monotonic() + 10
    while retention.delete_due() == 0:  # the server notices that the other connection is gone
        assert time.monotonic() < deadline
    assert [line["run"]["id"] for line in written(archive)] == [str(run)] * 2
    assert AuditEvent.objects.filter(kind="retention.deleted").count() == 1


def test_a_crash_before_the_file_is_complete_leaves_no_file_that_counts(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = old_action()

    def lost(*_: Any) -> None:
        raise RuntimeError("the power is off")

    monkeypatch.setattr(deleting, "remove", lost)
    with pytest.raises(RuntimeError):
        retention.delete_due()
    assert there(run) == {run}
    assert [path for path in archive.rglob("*") if path.is_file()] == []


def test_a_full_disk_keeps_every_run_and_says_so(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = old_action()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    archive.mkdir()
    (archive / "action-test-echo").mkdir()
    housekeeping.do_due((Chore("retention.delete", lambda: 60.0, retention.delete_due),))
    assert there(run) == {run}
    assert "No space left on device" in ChoreRow.objects.get(name="retention.delete").error
    assert [path for path in archive.rglob("*") if path.is_file()] == []
    assert not AuditEvent.objects.filter(kind="retention.deleted").exists()


def test_a_folder_that_cannot_be_written_to_keeps_every_run_and_says_so(archive: Path, settings: Any) -> None:
    run = old_action()
    archive.write_text("a file, not a folder")
    housekeeping.do_due((Chore("retention.delete", lambda: 60.0, retention.delete_due),))
    assert there(run) == {run}
    assert "archive" in ChoreRow.objects.get(name="retention.delete").error


def test_files_that_a_killed_writer_left_are_cleared_after_a_day(archive: Path) -> None:
    folder = archive / "action-test-echo" / "2026-01"
    folder.mkdir(parents=True)
    old, new = folder / "1.ndjson.gz.part", folder / "2.ndjson.gz.part"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    retention.tidy()
    assert not old.exists()
    assert new.exists()


def test_a_start_with_the_key_of_a_run_gets_that_run_until_it_is_deleted_and_then_a_new_one(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = old_action(key="order-1")
    turn = stop_before("_record", monkeypatch)
    deletion = Doing(retention.delete_due)
    turn.reached()
    assert start_action("test-echo", {"value": 1}, key="order-1") == run  # nothing is deleted yet, and nobody waits
    turn.go()
    deletion.done()
    again = start_action("test-echo", {"value": 1}, key="order-1")
    assert again != run
    assert there(again) == {again}


def test_an_event_for_a_run_that_is_deleted_at_this_moment_is_taken_and_goes_to_nobody(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = old_action()
    turn = stop_before("_record", monkeypatch)
    deletion = Doing(retention.delete_due)
    turn.reached()
    event = {"specversion": "1.0", "id": "1", "source": "/tests", "type": "paid", "subject": str(run), "data": 1}
    delivered = list[operations.Delivered]()
    sending = Doing(lambda: delivered.append(operations.deliver_event(event, actor="user:test", via="api")))
    assert sending.blocked()
    turn.go()
    deletion.done()
    sending.done()
    assert delivered[0].created
    assert delivered[0].runs == []


AFTER = "schedule: {after: {hours: 1}}\ndo:\n- hello: {call: 'test-echo', with: {value: 1}}\n"


@pytest.mark.parametrize("paused", [False, True])
def test_an_after_counts_from_the_end_of_its_last_run_also_when_that_is_deleted(archive: Path, paused: bool) -> None:
    publish("again", AFTER)
    scheduling.fire_due()
    work_until_idle()
    fire = ScheduleFire.objects.get()
    run = Run.objects.get(fires=fire)
    assert run.state == "succeeded"
    Schedule.objects.update(next_at=None)  # as if nobody had looked since the run ended
    ScheduleFire.objects.update(created_at="2000-01-01T00:00:00Z", nominal_at="2000-01-01T00:00:00Z")
    aged(run.pk)
    ended = Run.objects.get(pk=run.pk).finished_at
    if paused:
        operations.pause_schedule("again", **WHY)
    assert retention.delete_due() == 1
    fire.refresh_from_db()
    assert (fire.run_id, fire.ended_at) == (None, ended)
    if paused:
        operations.resume_schedule("again", **WHY)
    assert scheduling.fire_due() == 1
    newest = ScheduleFire.objects.order_by("-nominal_at").first()
    assert newest is not None
    assert ended is not None
    assert (newest.nominal_at - ended).total_seconds() == 3600


def test_moments_are_forgotten_but_for_the_newest(archive: Path) -> None:
    publish("again", AFTER)
    scheduling.fire_due()
    work_until_idle()
    fire = ScheduleFire.objects.get()
    aged(Run.objects.get(fires=fire).pk)
    retention.delete_due()
    older = ScheduleFire.objects.create(
        schedule=fire.schedule, nominal_at="1999-01-01T00:00:00Z", created_at="1999-01-01T00:00:00Z"
    )
    ScheduleFire.objects.update(created_at="2000-01-01T00:00:00Z")
    assert retention.tidy()["schedule_fire"] == 1
    assert ScheduleFire.objects.filter(pk=fire.pk).exists()
    assert not ScheduleFire.objects.filter(pk=older.pk).exists()
