"""Failures of one cause together: each stop once, whatever crashes; people's decisions hold until it happens again."""

import threading
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit.models import AuditEvent
from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from tests.support.pages import BROKEN
from tests.support.rows import crowd, run, step
from workflows import operations, payloads, queries
from workflows.grouping import chores, recording
from workflows.models import Failure, FailureCount, FailureGroup, Run
from workflows.operations import NotAllowed
from workflows.queries.labels import UNRESOLVED

pytestmark = pytest.mark.usefixtures("handlers")
BY: dict[str, Any] = {"actor": "user:test", "reason": "the gateway is back"}


def failed(message: str = "card 4711 declined", *, code: str = "declined", stopped: float = 0) -> Run:
    error = {"code": code, "message": message, "retryable": False}
    made = run("failed", "dead_letter", stopped=timedelta(seconds=stopped), error=error)
    step(made, "charge", "failed", error=error)
    return made


def only() -> FailureGroup:
    return FailureGroup.objects.get()


def test_runs_that_failed_alike_are_one_group_that_keeps_no_values() -> None:
    publish("broken", BROKEN)
    start_workflow("broken", {})
    start_workflow("broken", {})
    work_until_idle(10)
    chores.group()
    group = only()
    assert (group.kind, group.name, group.step, group.code) == ("workflow", "broken", "charge", "declined")
    assert (group.count, group.open_runs, group.state) == (2, 2, "open")
    assert queries.group_of(Run.objects.filter(name="broken")[0].pk) == queries.GroupLink(group.fingerprint, 2)


def test_each_stop_counts_once_however_often_somebody_looks() -> None:
    failed("card 1 declined")
    failed("card 2 declined")
    chores.group()
    chores.group()
    assert (only().count, only().open_runs, only().message) == (2, 2, "card <n> declined")
    assert FailureCount.objects.get().count == 2


def test_a_housekeeper_that_dies_in_the_middle_leaves_nothing_half(monkeypatch: pytest.MonkeyPatch) -> None:
    failed()

    def die(_groups: object) -> None:
        raise RuntimeError("the power failed")

    with monkeypatch.context() as patched:
        patched.setattr(recording, "recount", die)
        with pytest.raises(RuntimeError):
            recording.group_new()
    assert not Failure.objects.exists()
    chores.group()
    assert only().count == 1


def test_a_run_that_was_retried_and_failed_again_counts_twice_and_is_open_once() -> None:
    made = failed()
    chores.group()
    Run.objects.filter(pk=made.pk).update(state="running", reason="", stopped_at=None)
    chores.group()
    assert (only().count, only().open_runs) == (1, 0)
    Run.objects.filter(pk=made.pk).update(state="failed", reason="dead_letter", stopped_at=timezone.now())
    chores.group()
    assert (only().count, only().open_runs) == (2, 1)


def test_a_resolved_run_is_no_longer_open_but_counts() -> None:
    made = failed()
    chores.group()
    operations.resolve(made.pk, **BY)
    chores.group()
    assert (only().count, only().open_runs) == (1, 0)


def test_a_resolved_group_opens_when_it_happens_again_and_only_then() -> None:
    failed(stopped=5)
    chores.group()
    late = failed(stopped=3)
    operations.resolve_failure(only().fingerprint, **BY)
    chores.group()
    assert (only().state, only().count) == ("resolved", 2), "what failed before it was resolved opens nothing"
    Run.objects.filter(pk=late.pk).update(stopped_at=timezone.now())
    chores.group()
    assert only().state == "open"
    assert only().regressed_at is not None
    kinds = AuditEvent.objects.filter(chain=only().pk).order_by("seq").values_list("kind", "actor", "reason")
    assert list(kinds) == [
        ("failure.resolved", "user:test", "the gateway is back"),
        ("failure.reopened", "system", recording.AGAIN),
    ]


def test_an_ignored_group_comes_back_by_the_clock_or_by_the_count() -> None:
    failed()
    chores.group()
    operations.ignore_failure(only().fingerprint, times=2, **BY)
    failed()
    chores.group()
    assert only().state == "ignored"
    failed()
    chores.group()
    assert only().state == "open"
    operations.ignore_failure(only().fingerprint, until=timezone.now() + timedelta(hours=1), **BY)
    chores.group()
    assert only().state == "ignored"
    FailureGroup.objects.update(ignored_until=timezone.now() - timedelta(seconds=1))
    chores.group()
    assert only().state == "open"
    assert only().regressed_at is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"until": timezone.now() - timedelta(hours=1)},
        {"until": timezone.now() + timedelta(days=800)},
        {"times": 0},
        {"times": -1},
        {"times": 3, "until": timezone.now() + timedelta(hours=1)},
    ],
)
def test_what_cannot_be_ignored_like_that_is_refused(given: dict[str, Any]) -> None:
    failed()
    chores.group()
    with pytest.raises(NotAllowed):
        operations.ignore_failure(only().fingerprint, **BY, **given)
    assert only().state == "open"


def test_a_command_that_changes_nothing_is_refused() -> None:
    failed()
    chores.group()
    fingerprint = only().fingerprint
    with pytest.raises(NotAllowed):
        operations.reopen_failure(fingerprint, **BY)
    operations.resolve_failure(fingerprint, **BY)
    with pytest.raises(NotAllowed):
        operations.resolve_failure(fingerprint, **BY)
    operations.reopen_failure(fingerprint, **BY)
    with pytest.raises(operations.UnknownFailure):
        operations.reopen_failure("0" * 32, **BY)


def test_a_large_error_is_read_where_it_is_stored_and_a_lost_one_is_no_obstacle() -> None:
    large, lost = failed(), failed()
    packer = payloads.Packer(large.pk)
    error = {"code": "refused", "message": "no 17", "traceback": "x" * 9_000}
    packed = packer.reference(error)
    payloads.store(large.pk, packer)
    large.steps.update(error=packed)
    lost.steps.update(error={"$payload": "0" * 64})
    Run.objects.filter(pk=lost.pk).update(error={"$payload": "0" * 64})
    chores.group()
    assert set(FailureGroup.objects.values_list("code", "message")) == {("refused", "no <n>"), ("unreadable", "")}


def test_messages_that_are_never_the_same_do_not_make_endless_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_MESSAGES", 3)
    for word in "abcdef":
        failed(f"no {word} here")
    chores.group()
    assert FailureGroup.objects.count() == 4
    assert FailureGroup.objects.get(message="").count == 3


def test_a_run_that_is_erased_leaves_nothing_of_its_message() -> None:
    made = failed("Ada Lovelace was declined")
    chores.group()
    operations.resolve(made.pk, **BY)
    operations.erase(made.pk, **BY)
    assert not Failure.objects.exists()
    assert (only().count, only().message) == (1, "")
    failed("Ada Lovelace was declined")
    chores.group()
    assert (only().count, only().message) == (2, "Ada Lovelace was declined")


def test_a_group_with_nothing_to_do_rests_by_itself_after_a_day() -> None:
    made = failed()
    chores.group()
    operations.resolve(made.pk, **BY)
    chores.group()
    chores.tidy()
    assert only().state == "open"
    FailureGroup.objects.update(last_seen_at=timezone.now() - timedelta(days=2))
    chores.tidy()
    assert (only().state, only().settled_by) == ("resolved", "system")
    failed()
    chores.group()
    assert (only().state, only().regressed_at) == ("open", None), "nobody said that it was repaired"


def test_what_is_very_old_goes_and_what_still_has_runs_stays() -> None:
    failed("one")
    settled = failed("two")
    chores.group()
    operations.resolve(settled.pk, **BY)
    chores.group()
    with transaction.atomic():
        Failure.objects.filter(run=settled.pk).delete()
    old = timezone.now() - timedelta(days=900)
    FailureGroup.objects.update(last_seen_at=old)
    FailureCount.objects.update(begins_at=old)
    chores.tidy()
    assert [group.message for group in FailureGroup.objects.all()] == ["one"]
    assert not FailureCount.objects.exists()


def test_two_hosts_that_count_the_same_groups_do_not_lock_each_other_out() -> None:
    """Who waits for the group that comes first holds none of the others."""
    now = timezone.now()
    seen: dict[str, Any] = {"kind": "workflow", "name": "w", "code": "c", "first_seen_at": now, "last_seen_at": now}
    last, first = (FailureGroup.objects.create(fingerprint=letter * 32, **seen) for letter in "fa")

    def host() -> None:
        recording.recount([last.pk, first.pk])
        connection.close()

    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    lock = "SELECT FROM failure_group WHERE id = %s FOR NO KEY UPDATE NOWAIT"
    waiting = threading.Thread(target=host)
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(lock, [first.pk])
        waiting.start()
        until = time.monotonic() + 10
        while other.execute(waits).fetchone() == (0,) and time.monotonic() < until:
            time.sleep(0.01)
        assert other.execute(lock, [last.pk]).rowcount == 1
    waiting.join()


def test_new_failures_are_found_without_reading_other_runs() -> None:
    crowd()
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        plan = Run.objects.filter(UNRESOLVED).filter(stopped_at__isnull=False).order_by("-id")[:500].explain()
        cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan")
    assert "run_unresolved" in plan


def test_code_that_does_not_know_failures_can_delete_their_runs() -> None:
    parked = run("failed", "dead_letter", stopped=timedelta(seconds=1), error={"code": "c", "message": "m"})
    chores.group()
    assert Failure.objects.exists()
    Run.objects.filter(pk=parked.pk).update(resolved_at=timezone.now())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM run WHERE id = %s", [parked.pk])
        cursor.execute("DELETE FROM branch WHERE run_id = %s", [parked.pk])
    assert not Failure.objects.exists()
