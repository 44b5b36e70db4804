"""A paused queue: nothing of it begins, whoever looks for work; nothing is lost, and others are not kept waiting."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from audit.models import AuditEvent
from tests.integration.core.test_watch import LONG_AGO
from tests.support.cluster import until
from tests.support.documents import publish
from tests.support.engine import finished, shown, start_action, start_workflow, state, work_until_idle
from tests.support.interleaving import Doing
from workflows import broker, claim, driving, identity, operations, supervision, worker
from workflows.models import NotificationRule, Queue, Run, Step
from workflows.notifications.conditions import Seen
from workflows.notifications.kinds import QUEUE_AGE
from workflows.operations import NotAllowed, UnknownQueue
from workflows.supervision import Supervisor

pytestmark = pytest.mark.usefixtures("handlers")
BY: dict[str, Any] = {"actor": "user:olga", "reason": "the bank is down"}


@pytest.fixture(autouse=True)
def _no_memory() -> None:
    identity._identity = None


def queued(queue: str, value: Any = 1) -> uuid.UUID:
    run_id = start_action("test-echo", {"value": value})
    Run.objects.filter(pk=run_id).update(queue=queue)
    Step.objects.filter(run=run_id).update(queue=queue)
    return run_id


def test_nothing_of_a_paused_queue_begins_until_it_is_resumed_and_others_go_on() -> None:
    resting, going = queued("bank"), queued("mail")
    operations.pause_queue("bank", **BY)
    work_until_idle()
    assert (state(resting), state(going)) == ("pending", "succeeded")
    operations.resume_queue("bank", actor="user:olga", reason="it is back")
    assert finished(resting).state == "succeeded"
    events = AuditEvent.objects.filter(kind__startswith="queue.").order_by("seq")
    assert [(e.kind, e.actor, e.reason) for e in events] == [
        ("queue.paused", "user:olga", "the bank is down"),
        ("queue.resumed", "user:olga", "it is back"),
    ]
    row = Queue.objects.get(name="bank")
    assert (row.paused_at, row.paused_by, row.reason) == (None, "", "")


def test_a_worker_that_is_inside_a_run_hands_it_back_before_a_step_of_a_paused_queue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(identity, "PAUSED_SECONDS", 0.05)
    file = tmp_path / "began"
    one, two = (f"{{call: test-outside, with: {{file: {file}, sleep: {seconds}}}}}" for seconds in (4, 0))
    run_id = start_workflow(publish("rests", f"do: [{{one: {one}}}, {{two: {two}}}]"), {})
    working = Doing(worker.work)
    until(file.exists)
    operations.pause_queue("default", **BY)
    working.done()
    first, second = shown(run_id).steps
    assert (first.state, second.state, second.leased_by) == ("succeeded", "ready", None)
    work_until_idle()
    assert len(file.read_text().splitlines()) == 1
    operations.resume_queue("default", **BY)
    assert finished(run_id).state == "succeeded"
    assert len(file.read_text().splitlines()) == 2


def test_a_worker_that_claims_while_the_queue_is_paused_finishes_that_step_and_begins_no_other() -> None:
    """The pause commits between the worker's look and its claim; what is claimed runs once, to its end."""
    first, second = queued("bank", 1), queued("bank", 2)
    me = identity.identity()
    assert not me.paused("bank")
    assert me._look_around() is not None  # it knows the queue now, and may take from it without another look
    claim.release(me.id)
    operations.pause_queue("bank", **BY)
    held = me.take()
    assert held is not None, "within a second of its last look"
    driving.drive(held, me, time.monotonic() + 10)
    me._found_at -= identity.LOOK_SECONDS
    me._open.clear()
    assert me.take() is None
    assert sorted([state(first), state(second)]) == ["pending", "succeeded"]


def test_a_worker_that_rested_takes_nothing_of_a_queue_that_was_paused_meanwhile() -> None:
    """Where it found something last it looks first, and the pause is of that queue."""
    before = queued("bank", 1)
    work_until_idle()
    assert (state(before), identity.identity()._found[0]) == ("succeeded", "bank")
    resting, going = queued("bank", 2), queued("mail", 3)
    operations.pause_queue("bank", **BY)
    work_until_idle()
    assert (state(resting), state(going)) == ("pending", "succeeded")


def test_two_people_who_pause_at_once_pause_it_once() -> None:
    queued("bank")
    doings = [Doing(lambda: operations.pause_queue("bank", **BY)) for _ in range(3)]
    results = [_outcome(doing) for doing in doings]
    assert results.count("") == 1
    assert AuditEvent.objects.filter(kind="queue.paused").count() == 1


def _outcome(doing: Doing) -> str:
    try:
        doing.done()
    except NotAllowed as refused:
        return refused.message
    return ""


def test_a_paused_queue_gives_no_hints_and_does_not_look_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    queued("bank")
    Step.objects.update(due_at=LONG_AGO)
    hints = broker.HintBroker()
    assert hints.dequeue() is not None
    operations.pause_queue("bank", **BY)
    begun = time.monotonic()
    assert hints.dequeue() is None
    assert time.monotonic() - begun > 0.5, "it sleeps: no busy loop"
    monkeypatch.setattr(supervision, "DEAF_SECONDS", 0.2)
    supervisor = Supervisor()
    time.sleep(0.3)
    assert not supervisor._deaf([])
    late = NotificationRule(kinds=[QUEUE_AGE], after_seconds=0)
    assert Seen.now({QUEUE_AGE}).of(QUEUE_AGE, late) == {}
    operations.resume_queue("bank", **BY)
    assert hints.dequeue() is not None, "at once"


def test_other_queues_are_hinted_at_once_beside_a_paused_one() -> None:
    queued("bank")
    operations.pause_queue("bank", **BY)
    hints = broker.HintBroker()
    queued("mail")
    begun = time.monotonic()
    assert hints.dequeue() is not None
    assert time.monotonic() - begun < 0.5


def test_a_time_limit_in_a_paused_queue_strikes_when_it_goes_on() -> None:
    body = "do: [{a: {do: [{nap: {wait: PT1H}}], timeout: {after: PT2S}}}]"  # a slow disk takes a while until the pause
    run_id = start_workflow(publish("limited", body), {})
    work_until_idle(patience=0.0)
    operations.pause_queue("default", **BY)
    time.sleep(max(2.1, identity.LOOK_SECONDS + 0.1))
    work_until_idle()
    assert state(run_id) == "waiting", "its clock went on, but nobody looks at it"
    operations.resume_queue("default", **BY)
    assert finished(run_id).label == "timed_out"


def test_a_run_in_a_paused_queue_can_be_started_and_cancelled() -> None:
    operations.pause_queue("default", **BY)
    run_id = start_action("test-echo", {"value": 1})
    operations.cancel(run_id, actor="user:olga", reason="no")
    assert state(run_id) == "cancelled"


def test_a_queue_that_nothing_names_and_one_that_does_not_rest_are_refused() -> None:
    with pytest.raises(UnknownQueue, match="default"):
        operations.pause_queue("bnak", **BY)
    with pytest.raises(NotAllowed, match="not paused"):
        operations.resume_queue("default", **BY)
    operations.pause_queue("default", **BY)
    with pytest.raises(NotAllowed, match="already"):
        operations.pause_queue("default", **BY)
