"""Commands of several people, and of workers, at the same time: one after the other, none lost, nothing half done."""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, connections

from audit.verify import verify
from tests.support import rows
from tests.support.documents import publish
from tests.support.engine import finished, shown, start_workflow, state, work_until_idle
from workflows import operations, worker
from workflows.approvals import Person
from workflows.models import Message, Run, Step
from workflows.operations import NotAllowed
from workflows.operations.together import ATTEMPTS, in_one_transaction

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make calls at the same time, each on its own connection; return what each returned or raised."""
    gate = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        try:
            gate.wait(10)
            return call()
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_of_many_who_answer_at_once_exactly_one_is_heard() -> None:
    step = rows.step(
        rows.run("waiting", "person"), "ask", "waiting", function="approval:1.0.0", input={"title": "Pay?"}
    )

    def answer(name: str) -> Callable[[], None]:
        person = Person(name)
        return lambda: operations.answer_approval(
            step.run_id, step.key, "approved", person=person, actor=f"user:{name}"
        )

    results = at_once(*(answer(f"p{number}") for number in range(8)))
    assert results.count(None) == 1
    assert all(isinstance(result, NotAllowed) for result in results if result is not None)
    assert Message.objects.count() == 1
    assert verify().broken == []


def test_of_two_opposite_commands_the_second_meets_what_the_first_left() -> None:
    for _ in range(5):
        run = rows.run("running")
        rows.step(run, "a")
        results = at_once(partial(operations.suspend, run.id, **WHY), partial(operations.cancel, run.id, **WHY))
        assert rows.state(run) == "cancelled"
        assert {type(result) for result in results} <= {type(None), NotAllowed}
        assert not Step.objects.filter(run=run, state__in=["ready", "held"]).exists()
    assert verify().broken == []


def test_a_parent_and_its_child_are_cancelled_at_once_without_a_deadlock() -> None:
    publish("child", "do: [{nap: {wait: {days: 1}}}]")
    body = "do: [{each: {call: map, with: {items: [1, 2, 3], workflow: {name: child}, maxConcurrency: 3}}}]"
    publish("parent", body)
    for _ in range(4):
        run_id = start_workflow("parent", {})
        work_until_idle()
        children = list(Run.objects.filter(depth=1, state="waiting").values_list("pk", flat=True))
        assert len(children) == 3
        results = at_once(
            partial(operations.cancel, run_id, **WHY),
            *(partial(operations.cancel, child, **WHY) for child in children),
            worker.work,
        )
        assert {type(result) for result in results} <= {type(None), NotAllowed}
        work_until_idle()
        assert set(Run.objects.values_list("state", flat=True)) == {"cancelled"}
    assert verify().broken == []


@pytest.mark.parametrize("verb", ["suspend", "cancel", "undo"])
def test_a_command_against_a_worker_at_full_speed_leaves_a_whole_run(verb: str) -> None:
    publish("steps", """
do:
  - many:
      for: {each: n, in: "${ [range(20)] }"}
      do:
        - book:
            call: test-echo
            with: {value: {id: "${ $n }"}}
            metadata: {dotdo: {undo: {call: test-echo, with: {value: "${ .id }"}}}}
""")  # fmt: skip
    labels = set()
    for _ in range(3):
        run_id = start_workflow("steps", {})
        at_once(worker.work, partial(once_possible, getattr(operations, verb), run_id))
        work_until_idle()
        if state(run_id) == "suspended":
            operations.resume(run_id, **WHY)
            work_until_idle()
        run = shown(run_id)
        labels.add(run.label)
        assert run.state in {"succeeded", "cancelled"}
        assert not [step for step in run.steps if step.state in ("ready", "running", "waiting", "held")]
        if run.label == "undone":
            done = {step.key for step in run.steps if step.kind == "call" and step.state == "succeeded"}
            undone = {step.key for step in run.steps if step.kind == "undo" and step.function}
            assert undone == {f"{key}#undo" for key in done}
    assert labels == {{"suspend": "succeeded", "cancel": "cancelled", "undo": "undone"}[verb]}
    assert verify().broken == []


def once_possible(operation: Callable[..., None], run_id: uuid.UUID) -> None:
    """Give the command as soon as the run has done something."""
    while not Step.objects.filter(run=run_id, state="succeeded").exists():
        time.sleep(0.001)
    operation(run_id, **WHY)


def test_a_deadlock_is_tried_again_and_a_lost_connection_is_not() -> None:
    calls = []

    def gives_way(times: int, cause: type[Exception]) -> str:
        calls.append(1)
        assert connection.in_atomic_block
        if len(calls) <= times:
            raise OperationalError("no") from cause("no")
        return "done"

    operation = in_one_transaction(gives_way)
    assert operation(ATTEMPTS - 1, psycopg.errors.DeadlockDetected) == "done"
    for times, cause in ((99, psycopg.errors.DeadlockDetected), (1, psycopg.errors.AdminShutdown)):
        calls.clear()
        with pytest.raises(OperationalError):
            operation(times, cause)
        assert len(calls) == min(times, ATTEMPTS)


def test_a_family_of_a_thousand_is_suspended_and_cancelled_in_seconds() -> None:
    publish("child", "do: [{nap: {wait: {days: 1}}}]")
    parent = rows.run("waiting", "child")
    step = rows.step(parent, "each", "waiting", function="map:1.0.0")
    first = start_workflow("child", {})
    Run.objects.filter(pk=first).update(parent_step=step.pk)
    for number in range(1, 1_000):
        Run.objects.filter(pk=start_workflow("child", {})).update(parent_step=step.pk, parent_index=number)
    begun = time.monotonic()
    operations.suspend(parent.id, **WHY)
    operations.resume(parent.id, **WHY)
    operations.cancel(parent.id, **WHY)
    assert time.monotonic() - begun < 20
    assert set(Run.objects.values_list("state", flat=True)) == {"cancelled"}
    assert finished(first).state == "cancelled"
