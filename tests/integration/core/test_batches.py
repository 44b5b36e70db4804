"""Commands to many runs: each run has one turn, whatever happens in between, and what became of it is kept."""

import os
import threading
import time
import traceback
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection
from django.db.models import F
from django.utils import timezone

from audit.models import AuditEvent
from tests.support.documents import publish
from tests.support.engine import start_workflow, state, work_until_idle
from tests.support.pages import BROKEN, PAUSE
from workflows import batches, operations, queries
from workflows.housekeeping import CHORES
from workflows.models import Batch, BatchItem, Run
from workflows.operations import Choice, NotAllowed
from workflows.operations import batches as ending
from workflows.queries import RunFilter

pytestmark = pytest.mark.usefixtures("handlers")
WHO: dict[str, Any] = {"actor": "user:ada", "reason": "gateway is back"}


def failed(count: int) -> list[UUID]:
    publish("broken", BROKEN)
    runs = [start_workflow("broken", {}) for _ in range(count)]
    work_until_idle(30)
    return runs


def waiting(count: int) -> list[UUID]:
    publish("pause", PAUSE)
    runs = [start_workflow("pause", {}) for _ in range(count)]
    work_until_idle(30)
    return runs


def of_filter(**values: str) -> Choice:
    return Choice(chosen=RunFilter(**values), words=values)  # type: ignore[arg-type]  # texts only


def begin(verb: str, choice: Choice, shown: int = 3, **options: Any) -> UUID:
    given = {**WHO, "as_of": timezone.now(), **options}
    return operations.start_batch(verb, choice, shown=shown, **given)


def work_off(batch_id: UUID) -> Batch:
    """Let the housekeeper do all its rounds at once."""
    for _ in range(200):
        Batch.objects.filter(pk=batch_id).update(due_at=timezone.now() - timedelta(hours=1), rate=1000)
        batches.work(5)
        found = Batch.objects.get(pk=batch_id)
        if found.state != "running":
            return found
        time.sleep(0.05)  # the server notices that a connection is gone
    raise AssertionError("the batch does not end")


def test_every_run_gets_the_command_once_with_actor_and_reason() -> None:
    runs = waiting(3)
    ended = work_off(begin("cancel", Choice(runs=tuple(runs))))
    assert (ended.state, ended.total, ended.done) == ("finished", 3, 3)
    assert {state(run) for run in runs} == {"cancelled"}
    events = AuditEvent.objects.filter(kind="run.cancelled")
    assert [(event.actor, event.reason) for event in events] == [("user:ada", "gateway is back")] * 3
    kinds = AuditEvent.objects.filter(chain=ended.pk).order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == ["batch.started", "batch.finished"]


def test_what_the_state_of_a_run_does_not_allow_is_skipped_with_the_reason() -> None:
    [broken] = failed(1)
    [pausing] = waiting(1)
    ended = work_off(begin("retry", Choice(runs=(broken, pausing, uuid4()))))
    assert (ended.done, ended.skipped, ended.failed) == (1, 2, 0)
    notes = list(ended.items.filter(state="skipped").order_by("id").values_list("note", flat=True))
    assert notes[0] == "Only a failed run can be retried; this one is waiting."
    assert notes[1].startswith("There is no run")


def test_a_filter_takes_the_runs_of_its_moment_and_no_newer_ones() -> None:
    runs = failed(2)
    as_of = timezone.now()
    start_workflow("broken", {})
    work_until_idle()
    batch_id = begin("resolve", of_filter(name="broken"), as_of=as_of)
    assert set(BatchItem.objects.filter(batch=batch_id).values_list("run", flat=True)) == set(runs)


def test_a_moment_to_come_is_now() -> None:
    failed(1)
    found = Batch.objects.get(pk=begin("resolve", of_filter(name="broken"), as_of=timezone.now() + timedelta(days=9)))
    assert found.as_of <= timezone.now()


def test_a_filter_leaves_out_what_the_verb_is_not_meant_for() -> None:
    runs = failed(1)
    waiting(2)
    batch_id = begin("retry", of_filter(kind="workflow"))
    assert list(BatchItem.objects.filter(batch=batch_id).values_list("run", flat=True)) == runs


@pytest.mark.parametrize(("verb", "choice"), [("retry", Choice(chosen=RunFilter())), ("erase", of_filter(name="x"))])
def test_no_filter_and_no_such_verb_are_refused(verb: str, choice: Choice) -> None:
    with pytest.raises(NotAllowed):
        begin(verb, choice)
    assert not Batch.objects.exists()


def test_nothing_that_fits_and_too_much_leave_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAllowed, match="No run fits"):
        begin("retry", of_filter(name="none"))
    failed(2)
    monkeypatch.setattr("workflows.operations.batches.MOST_RUNS", 1)
    with pytest.raises(NotAllowed, match="More than 1"):
        begin("retry", of_filter(name="broken"))
    assert not Batch.objects.exists()
    assert not AuditEvent.objects.filter(kind="batch.started").exists()


def test_a_form_that_is_sent_twice_starts_one_batch() -> None:
    failed(1)
    key = uuid4()
    assert begin("retry", of_filter(name="broken"), batch_id=key) == begin(
        "retry", of_filter(name="broken"), batch_id=key
    )
    assert Batch.objects.count() == 1


def test_the_id_of_a_batch_is_no_answer_for_another_one() -> None:
    runs = failed(2)
    filtered, picked = uuid4(), uuid4()
    begin("retry", of_filter(name="broken"), batch_id=filtered)
    begin("retry", Choice(runs=(runs[0],)), batch_id=picked)
    for key, verb, choice, actor in (
        (filtered, "resolve", of_filter(name="broken"), "user:ada"),
        (filtered, "retry", of_filter(kind="workflow"), "user:ada"),
        (filtered, "retry", of_filter(name="broken"), "user:eve"),
        (picked, "retry", Choice(runs=(runs[1],)), "user:ada"),
    ):  # fmt: skip
        with pytest.raises(NotAllowed, match="another batch"):
            begin(verb, choice, batch_id=key, actor=actor)
    assert Batch.objects.count() == 2


class Killed(BaseException):
    """The housekeeper is gone."""


def test_a_housekeeper_that_dies_in_a_turn_loses_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = waiting(3)
    batch_id = begin("cancel", Choice(runs=tuple(runs)))
    turns: list[int] = []
    command = batches._command

    def die(*given: Any) -> tuple[str, str]:
        result = command(*given)
        turns.append(1)
        if len(turns) == 2:
            raise Killed
        return result

    monkeypatch.setattr(batches, "_command", die)
    Batch.objects.filter(pk=batch_id).update(rate=1000, due_at=F("due_at") - timedelta(hours=1))
    with pytest.raises(Killed):
        batches.work(5)
    found = Batch.objects.get(pk=batch_id)
    assert (found.done, found.items.filter(state="done").count()) == (1, 1)
    assert Run.objects.filter(state="cancelled").count() == 1, "the command went with the turn that was not recorded"
    ended = work_off(batch_id)
    assert (ended.state, ended.done, ended.skipped) == ("finished", 3, 0)
    assert AuditEvent.objects.filter(kind="run.cancelled").count() == 3


@pytest.mark.parametrize("at", ["_command", "record"])
def test_a_killed_housekeeper_leaves_the_turn_as_it_was(monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    runs = waiting(2)
    batch_id = begin("cancel", Choice(runs=tuple(runs)))
    if at == "record":  # the last turn, in which the end of the batch is written
        Batch.objects.filter(pk=batch_id).update(rate=1000, due_at=F("due_at") - timedelta(hours=1))
    child = os.fork()
    if child == 0:
        _inherited, connection.connection = connection.connection, None  # closing it would close the parent's
        owner, name = (batches, "_command") if at == "_command" else (ending, "record")
        do = getattr(owner, name)

        def killed(*given: Any, **options: Any) -> None:
            do(*given, **options)
            os.kill(os.getpid(), 9)

        monkeypatch.setattr(owner, name, killed)
        try:
            Batch.objects.filter(pk=batch_id).update(due_at=timezone.now() - timedelta(hours=1))
            batches.work(10)
        except BaseException:  # noqa: BLE001 - told, and then the process ends
            traceback.print_exc()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 9, "it was killed"
    found = Batch.objects.get(pk=batch_id)
    assert (found.state, found.done) == ("running", 0 if at == "_command" else 2)
    ended = work_off(batch_id)
    assert (ended.state, ended.done, ended.skipped) == ("finished", 2, 0)
    assert AuditEvent.objects.filter(kind="run.cancelled").count() == 2
    assert AuditEvent.objects.filter(chain=batch_id).count() == 2


def test_a_fault_in_a_command_is_kept_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = waiting(3)
    cancel = operations.cancel

    def break_off(run: UUID, **options: str) -> None:
        cancel(run, **options)
        if run == runs[1]:
            raise ZeroDivisionError

    monkeypatch.setitem(batches.VERBS, "cancel", break_off)
    ended = work_off(begin("cancel", Choice(runs=tuple(runs))))
    assert (ended.state, ended.done, ended.failed) == ("finished", 2, 1)
    assert state(runs[1]) == "waiting", "nothing of it is left"
    assert "ZeroDivisionError" in ended.items.get(state="failed").note


def test_a_batch_in_trouble_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = waiting(2)

    def lock_is_held(run: UUID, **_: str) -> None:
        raise OperationalError("canceling statement due to lock timeout") from Locked()

    class Locked(Exception):
        sqlstate = "55P03"

    monkeypatch.setitem(batches.VERBS, "suspend", lock_is_held)
    stuck = begin("suspend", Choice(runs=(runs[0],)))
    other = begin("cancel", Choice(runs=(runs[1],)))
    batches.work(2)
    batches.work(2)
    assert Batch.objects.get(pk=stuck).items.get().state == "waiting"
    assert Batch.objects.get(pk=other).done == 1


def test_batches_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = waiting(8)
    large, small = begin("suspend", Choice(runs=tuple(runs[:6]))), begin("cancel", Choice(runs=tuple(runs[6:])))
    Batch.objects.update(rate=1000, due_at=timezone.now() - timedelta(hours=1))
    turns: list[UUID] = []
    command = batches._command

    def noted(batch: Batch, run: UUID) -> tuple[str, str]:
        turns.append(batch.pk)
        return command(batch, run)

    monkeypatch.setattr(batches, "_command", noted)
    work_off(large)
    assert turns.count(small) == 2
    assert small in turns[:2], "the small one does not wait for the large one"
    assert turns[:5].count(small) == 2


def test_no_more_runs_a_second_than_the_rate_allows() -> None:
    runs = waiting(6)
    batch_id = begin("suspend", Choice(runs=tuple(runs)))
    Batch.objects.filter(pk=batch_id).update(rate=1, due_at=timezone.now())
    batches.work(1)
    batches.work(1)
    assert 1 <= Batch.objects.get(pk=batch_id).done <= 3


def test_a_stop_leaves_the_rest_as_it_is_and_is_recorded() -> None:
    runs = waiting(3)
    batch_id = begin("cancel", Choice(runs=tuple(runs)))
    Batch.objects.filter(pk=batch_id).update(rate=0.01, due_at=timezone.now() - timedelta(seconds=1))
    batches.work(1)
    operations.stop_batch(batch_id, actor="user:bob", reason="wrong ones")
    batches.work(1)
    found = Batch.objects.get(pk=batch_id)
    assert (found.state, found.done) == ("stopped", 1)
    assert sum(state(run) == "waiting" for run in runs) == 2
    event = AuditEvent.objects.get(kind="batch.stopped")
    assert (event.actor, event.reason) == ("user:bob", "wrong ones")
    with pytest.raises(NotAllowed, match="already stopped"):
        operations.stop_batch(batch_id, **WHO)


def test_hosts_that_work_at_once_give_each_run_one_turn() -> None:
    runs = waiting(12)
    batch_id = begin("cancel", Choice(runs=tuple(runs)))
    Batch.objects.filter(pk=batch_id).update(rate=1000, due_at=timezone.now() - timedelta(hours=1))

    def host() -> None:
        for _ in range(30):
            batches.work(1)
        connection.close()

    hosts = [threading.Thread(target=host) for _ in range(3)]
    for one in hosts:
        one.start()
    for one in hosts:
        one.join()
    ended = work_off(batch_id)
    assert (ended.done, ended.skipped) == (12, 0)
    assert AuditEvent.objects.filter(kind="run.cancelled").count() == 12


def test_the_result_is_told_and_not_the_request() -> None:
    runs = failed(2)
    batch_id = begin("retry", Choice(runs=tuple(runs)))
    work_off(batch_id)
    found = queries.batch(batch_id)
    assert found
    outcome = queries.batch_outcome(found)
    assert outcome
    assert (outcome.going, outcome.failed) == (2, 0)
    work_until_idle(20)
    outcome = queries.batch_outcome(found)
    assert outcome
    assert (outcome.going, outcome.failed) == (0, 2), "they failed again"


def test_the_housekeeper_has_a_lane_for_it() -> None:
    assert any(chore.name == "batches.work" and chore.do is batches.work for chore in CHORES)


def test_a_form_that_is_sent_twice_at_once_starts_one_batch() -> None:
    failed(1)
    key = uuid4()
    answers: list[UUID] = []

    def send() -> None:
        answers.append(begin("retry", of_filter(name="broken"), batch_id=key))
        connection.close()

    posts = [threading.Thread(target=send) for _ in range(4)]
    for one in posts:
        one.start()
    for one in posts:
        one.join()
    assert answers == [key] * 4
    assert Batch.objects.get().total == 1
