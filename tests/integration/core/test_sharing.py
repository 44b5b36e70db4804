"""Shared commits: several short runs in one worker, recorded together, and each as if it had been alone."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from audit.verify import verify
from tests.support.documents import publish
from tests.support.engine import shown, start_workflow, state, work_until_idle
from tests.support.handlers import HOOKS
from workflows import calling, checkpoint, claim, operations, rounds, sharing, wake, worker
from workflows.checkpoint import Item, shared
from workflows.claim import Claimed
from workflows.identity import identity
from workflows.job import Job
from workflows.lessee import Happened
from workflows.models import Attempt, Branch, Run, Step, Workflow

pytestmark = pytest.mark.usefixtures("handlers")
BODY = """
do:
  - one: {call: test-pure, with: {value: "${ .n }"}}
  - two: {call: test-pure, with: {value: "${ . + 1 }", hook: "${ $workflow.input.hook // \\"\\" }"}}
  - three: {call: test-pure, with: {value: {n: "${ . }", text: "${ $workflow.input.text // \\"\\" }"}}}
"""
TIMES = ("id", "run_id", "branch_id", "due_at", "created_at", "started_at", "finished_at")
Written = list[int]


@pytest.fixture(autouse=True)
def company(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look for company at once, and take nothing for long because the machine is busy."""
    sharing._companies.clear()
    monkeypatch.setattr(sharing, "SHORT_SECONDS", 5.0)
    monkeypatch.setattr(rounds, "WAIT_SECONDS", 5.0)
    monkeypatch.setattr(rounds, "TURN_SECONDS", 0.05)
    yield
    HOOKS.clear()


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Written:
    """Note how many steps each shared commit has."""
    found: Written = []
    write_many = checkpoint.write_many

    def noted(items: Sequence[Any], *others: Any) -> Any:
        found.append(len(items))
        return write_many(items, *others)

    monkeypatch.setattr(checkpoint, "write_many", noted)
    return found


def begin(count: int, body: str = BODY, **value: Any) -> list[uuid.UUID]:
    if not Workflow.objects.filter(name="shared").exists():
        publish("shared", body)
    return [start_workflow("shared", {"n": n, **value}) for n in range(count)]


def elsewhere(act: Callable[[], Any]) -> None:
    """Do something on a connection of its own, while this thread waits."""

    def acting() -> None:
        try:
            act()
        finally:
            connections.close_all()

    thread = threading.Thread(target=acting)
    thread.start()
    thread.join()


def stored(run: uuid.UUID) -> list[dict[str, Any]]:
    """Return all that is kept of a run, but ids and times."""
    rows: list[dict[str, Any]] = []
    for model, by in ((Run, "id"), (Branch, "run_id"), (Step, "run_id")):
        for row in model.objects.filter(**{by: run}).order_by("pk").values():
            own = ("input", "audit_head", "cursor", "closed_at", "leased_by", "revision")
            rows.append({name: value for name, value in row.items() if name not in (*TIMES, *own)})
    return rows


def test_a_run_in_company_leaves_what_it_would_leave_alone(sizes: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    together = begin(12, text='a "quote", a \\ and {braces}, ünï', hook="")
    work_until_idle()
    assert max(sizes) > 4
    monkeypatch.setattr(sharing, "MOST", 1)
    monkeypatch.setattr(sharing, "_repeatable", lambda _: False)
    alone = [
        start_workflow("shared", {"n": n, "text": 'a "quote", a \\ and {braces}, ünï', "hook": ""}) for n in range(12)
    ]
    sizes.clear()
    work_until_idle()
    assert not sizes
    assert [stored(run) for run in together] == [stored(run) for run in alone]
    assert {shown(run).state for run in together} == {"succeeded"}


def test_usual_steps_and_those_that_begin_or_end_runs_are_written_in_company(
    sizes: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: set[Any] = set()
    statement = shared.statement

    def noted(shape: Any) -> Any:
        shapes.add(shape)
        return statement(shape)

    monkeypatch.setattr(shared, "statement", noted)
    monkeypatch.setattr(rounds, "MOST_STEPS", 2)
    tasks = "".join(f"\n  - t{n}: {{call: test-pure, with: {{value: {n}}}}}" for n in range(8))
    runs = begin(4, f"do:{tasks}")
    work_until_idle()
    assert {shape.changed for shape in shapes} == {False, True}
    assert {state(run) for run in runs} == {"succeeded"}
    assert verify().broken == []


@pytest.mark.parametrize("fenced", [0, 1])
def test_steps_of_unlike_shapes_in_one_statement_are_fenced_and_written_each_by_itself(fenced: int) -> None:
    """The first and the third succeed as they were begun; the others turned into a call."""
    begin(4)
    held = claim.take_some(4, "default", 2, identity().id, 30.0)
    progress = [_ended(one) if at % 2 else _as_begun(one) for at, one in enumerate(held)]
    Step.objects.filter(pk=held[fenced].step).update(claim=held[fenced].claim + 1)
    written = checkpoint.write_many([Item(*both) for both in zip(held, progress, strict=True)], 30.0).items
    assert [its is None for its in written] == [at == fenced for at in range(4)]
    expected = [("start", "succeeded", {"n": 1}), ("call", "succeeded", None)] * 2
    expected[fenced] = ("start", "running", None)
    rows = {pk: tuple(row) for pk, *row in Step.objects.values_list("pk", "kind", "state", "output")}
    assert [rows[one.step] for one in held] == expected
    revisions = dict(Branch.objects.values_list("pk", "revision"))
    assert [revisions[one.branch] - one.revision for one in held] == [int(at != fenced) for at in range(4)]


def test_the_steps_of_a_run_that_are_recorded_together_are_told_as_they_came(sizes: Written) -> None:
    tasks = "".join(f"\n  - t{n}: {{call: test-pure, with: {{value: {n}}}}}" for n in range(9))
    (run,) = begin(1, f"do:{tasks}")
    work_until_idle()
    steps = list(Step.objects.filter(run=run).order_by("pk"))
    assert [step.name for step in steps] == [f"t{n}" for n in range(9)]
    assert [step.output for step in steps] == list(range(9))
    began = [step.started_at for step in steps if step.started_at is not None]
    assert began == sorted(began)
    assert len(began) == 9
    assert all(step.finished_at is not None and step.finished_at >= began[n] for n, step in enumerate(steps))
    assert sizes == [1], "all but the first in one commit"
    assert Branch.objects.get(run=run).revision == 2
    assert verify().broken == []


def test_what_a_run_remembers_and_exports_on_the_way_is_kept_when_its_steps_are_recorded_together(
    sizes: Written,
) -> None:
    body = """
do:
  - one: {call: test-pure, with: {value: 1}, export: {as: "${ {seen: 1} }"}}
  - two: {call: test-pure, with: {value: 2}, export: {as: "${ $context + {more: 2} }"}}
  - three: {call: test-pure, with: {value: 3}}
  - four: {call: test-pure, with: {value: "${ $context }"}}
"""
    runs = begin(3, body)
    work_until_idle()
    assert sizes
    assert [shown(run).output for run in runs] == [{"seen": 1, "more": 2}] * 3
    assert [Run.objects.get(pk=run).context for run in runs] == [{"seen": 1, "more": 2}] * 3


def test_a_lease_that_is_lost_on_the_way_leaves_nothing_of_the_steps_behind(sizes: Written) -> None:
    runs = begin(3, hook="lost")
    given_up: list[int] = []

    def lose() -> None:
        if not given_up:
            given_up.append(len(runs))
            elsewhere(lambda: claim.bury(identity().id, "somebody thought it dead"))

    HOOKS["lost"] = lose
    work_until_idle()
    assert given_up
    assert {state(run) for run in runs} == {"succeeded"}
    for run in runs:
        names = Step.objects.filter(run=run).order_by("pk").values_list("name", flat=True)
        assert list(names) == ["one", "two", "three"], "each step once"
    assert verify().broken == []


def test_a_step_that_fails_behind_others_of_its_run_is_recorded_after_them(sizes: Written) -> None:
    def fail() -> None:
        raise ValueError("never")

    HOOKS["fails"] = fail
    tasks = "".join(f"\n  - t{n}: {{call: test-pure, with: {{value: {n}}}}}" for n in range(4))
    (run,) = begin(1, f"do:{tasks}\n  - bad: {{call: test-pure, with: {{value: 1, hook: fails}}}}")
    work_until_idle()
    assert state(run) in ("failed", "waiting")
    states = dict(Step.objects.filter(run=run).values_list("name", "state"))
    assert [states[f"t{n}"] for n in range(4)] == ["succeeded"] * 4
    assert states["bad"] != "succeeded"
    assert Attempt.objects.filter(step__name="bad", outcome="failed").exists()
    assert verify().broken == []


def test_a_long_handler_behind_another_step_of_its_run_wakes_nobody_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woken: list[float] = []
    workers = wake.workers

    def noted() -> None:
        woken.append(time.monotonic())
        workers()

    def slow() -> None:
        monkeypatch.setattr(wake, "workers", noted)
        time.sleep(1.0)

    HOOKS["slow"] = slow
    (run,) = begin(1, hook="slow")
    work_until_idle()
    assert state(run) == "succeeded"
    assert len(woken) < 10


def test_an_usher_that_could_not_write_goes_on(sizes: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, dawdled = [True], [0]
    noted = sharing._record_for_others

    def refused(*given: Any) -> None:
        if broken.pop() if broken else False:
            raise KeyError("not what was thought of")
        noted(*given)

    def dawdle() -> None:
        dawdled[0] += 1
        time.sleep(0.3)

    monkeypatch.setattr(sharing, "_record_for_others", refused)
    HOOKS["slow"] = dawdle
    begin(2, hook="slow")
    work_until_idle(patience=6.0, seconds=30.0)
    assert not broken
    assert set(Run.objects.values_list("state", flat=True)) == {"succeeded"}


def test_what_took_a_worker_with_it_and_what_follows_it_is_executed_alone(sizes: Written) -> None:
    (run,) = begin(1)
    assert len(claim.take_some(1, "default", 2, identity().id, 30.0)) == 1
    claim.bury(identity().id, "died")
    work_until_idle()
    assert state(run) == "succeeded"
    assert not sizes


def test_branches_of_a_fork_share_no_commits_for_each_may_see_what_another_exports(sizes: Written) -> None:
    body = """
do:
  - both:
      fork:
        branches:
          - says: {do: [{a: {call: test-pure, with: {value: 1}, export: {as: "${ {said: 1} }"}}}]}
          - looks:
              do:
                - first: {call: test-pure, with: {value: 1}}
                - second: {call: test-pure, with: {value: 2}}
                - third: {call: test-pure, with: {value: 3}}
"""
    runs = begin(3, body)
    work_until_idle()
    assert {state(run) for run in runs} == {"succeeded"}
    assert [Run.objects.get(pk=run).context for run in runs] == [{"said": 1}] * 3
    assert not sizes


def test_the_audit_chains_of_a_shared_commit_hold(sizes: Written) -> None:
    runs = begin(6)
    work_until_idle()
    assert sizes
    assert Branch.objects.filter(run__in=runs).count() == 6
    assert verify().broken == []


def test_large_values_are_stored_once_for_each_run_also_in_company(sizes: Written) -> None:
    runs = begin(5, text="x" * 6_000)
    work_until_idle()
    assert sizes
    assert all(shown(run).output["text"] == "x" * 6_000 for run in runs)


def test_a_run_that_was_suspended_meanwhile_does_not_take_the_others_with_it(sizes: Written) -> None:
    runs = begin(6)
    suspended = runs[3]
    HOOKS["now"] = lambda: elsewhere(
        lambda: (
            state(suspended) in ("running", "pending")
            and operations.suspend(suspended, actor="user:test", reason="a look")
        )
    )
    begin(1, hook="now")
    work_until_idle()
    assert sizes
    assert state(suspended) in ("suspended", "succeeded")
    assert {state(run) for run in runs if run != suspended} == {"succeeded"}
    assert not Step.objects.filter(state="running").exists()


def test_a_row_that_somebody_else_has_locked_is_not_waited_for(
    sizes: Written, superuser: "psycopg.Connection[Any]"
) -> None:
    runs = begin(4)
    held = claim.take_some(4, "default", 2, identity().id, 30.0)
    assert len(held) == 4
    locked = held[0]
    with superuser.transaction():
        superuser.execute("SELECT FROM branch WHERE id = %s FOR NO KEY UPDATE", [locked.branch])
        began = time.monotonic()
        written = checkpoint.write_many([Item(one, _ended(one)) for one in held], 30.0).items
        assert time.monotonic() - began < 2
    assert [its is None for its in written] == [one is locked for one in held]
    assert sizes == [4]
    assert len(runs) == 4


def test_a_lease_that_was_lost_is_fenced_and_the_others_are_recorded() -> None:
    begin(3)
    held = claim.take_some(3, "default", 2, identity().id, 30.0)
    Step.objects.filter(pk=held[1].step).update(claim=held[1].claim + 1)
    written = checkpoint.write_many([Item(one, _ended(one)) for one in held], 30.0).items
    assert [its is None for its in written] == [False, True, False]
    assert Step.objects.get(pk=held[1].step).state == "running"


@pytest.mark.parametrize("fenced", [1, 2])
def test_others_are_claimed_with_a_commit_that_wrote_something_and_not_who_took_a_worker_along(fenced: int) -> None:
    begin(5)
    held = claim.take_some(2, "default", 2, identity().id, 30.0)
    dangerous, *others = Step.objects.filter(state="ready").order_by("due_at").values_list("pk", flat=True)
    Step.objects.filter(pk=dangerous).update(crashes=1)
    for one in held[:fenced]:
        Step.objects.filter(pk=one.step).update(claim=one.claim + 1)
    taking = checkpoint.Taking("default", 2, identity().id, 5)
    found = checkpoint.write_many([Item(one, _ended(one)) for one in held], 30.0, taking)
    expected = set(others) if fenced < len(held) else set()
    assert {one.step for one in found.taken} == expected
    assert {one.run_input["n"] for one in found.taken} == ({3, 4} if expected else set())
    running = Step.objects.filter(state="running", leased_by=identity().id).values_list("pk", flat=True)
    assert set(running) == expected | {one.step for one in held[:fenced]}
    assert not Step.objects.filter(pk=dangerous, state="running").exists()


def test_a_handler_that_takes_long_does_not_keep_the_others_waiting(sizes: Written) -> None:
    recorded: list[float] = []

    def dawdle() -> None:
        began = time.monotonic()
        assert not recorded, "it runs once"
        while Step.objects.filter(state="running").count() > 1 and time.monotonic() - began < 3:
            time.sleep(0.005)
        recorded.append(time.monotonic() - began)

    HOOKS["dawdle"] = dawdle
    slow = begin(1, hook="dawdle")
    begin(7)
    work_until_idle()
    assert recorded[0] < 2  # it was alone with its lease long before it came back
    assert state(slow[0]) == "succeeded"
    assert set(Run.objects.values_list("state", flat=True)) == {"succeeded"}
    assert not Attempt.objects.exists()


def test_a_step_that_fails_in_company_is_tried_again_by_itself(sizes: Written) -> None:
    failures = iter([ValueError("not now")])

    def fail_once() -> None:
        for error in failures:
            raise error

    HOOKS["fail"] = fail_once
    begin(1, hook="fail")
    begin(5)
    work_until_idle()
    assert sizes
    assert set(Run.objects.values_list("state", flat=True)) == {"succeeded"}
    assert Attempt.objects.values_list("outcome", flat=True).get() == "failed"


def test_what_acts_on_the_outside_is_recorded_on_its_own(sizes: Written, tmp_path: Any) -> None:
    body = """
do:
  - one: {call: test-pure, with: {value: 1}}
  - two: {call: test-outside, with: {file: "${ $workflow.input.file + ($workflow.input.n | tostring) }"}}
  - three: {call: test-pure, with: {value: 3}}
"""
    runs = begin(5, body, file=str(tmp_path / "f"))
    work_until_idle()
    assert {state(run) for run in runs} == {"succeeded"}
    assert all(len((tmp_path / f"f{n}").read_text().splitlines()) == 1 for n in range(5))


def test_what_cannot_share_commits_has_its_turn_while_there_is_company(sizes: Written, tmp_path: Any) -> None:
    """Those at the head of the queue are not taken and put back with each round, for as long as others are due."""
    publish("other", "do: [{out: {call: test-outside, with: {file: '${ .file }'}}}]")
    runs = begin(4)
    strangers = [start_workflow("other", {"file": str(tmp_path / f"f{n}")}) for n in range(3)]
    runs += begin(20)
    work_until_idle()
    assert sizes
    assert {state(run) for run in [*runs, *strangers]} == {"succeeded"}
    assert max(Step.objects.filter(run__in=strangers).values_list("claim", flat=True)) <= 4


def test_those_who_were_held_beside_a_step_that_kills_its_worker_are_not_taken_for_its_like() -> None:
    begin(3)
    assert len(claim.take_some(3, "default", 2, identity().id, 30.0)) == 3
    claim.bury(identity().id, "died")
    assert set(Step.objects.values_list("crashes", flat=True)) == {1}
    assert claim.take_some(3, "default", 2, identity().id, 30.0) == []  # from now on one by one
    work_until_idle()
    assert set(Run.objects.values_list("state", flat=True)) == {"succeeded"}


def test_a_worker_that_drains_begins_no_other_step(monkeypatch: pytest.MonkeyPatch) -> None:
    begin(6)
    monkeypatch.setattr(worker, "drains", lambda: bool(Step.objects.filter(name="two").exists()))
    monkeypatch.setattr("workflows.driving.drains", lambda: bool(Step.objects.filter(name="two").exists()))
    worker.work()
    assert not Step.objects.filter(state="running").exists()
    monkeypatch.undo()
    work_until_idle()
    assert set(Run.objects.values_list("state", flat=True)) == {"succeeded"}


def test_one_that_cannot_be_executed_is_found_out_alone_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = begin(5)
    attempt = calling.attempt

    def broken(job: Job, lost: threading.Event) -> Happened:
        if job.held.run == runs[3] and job.name == "two":
            raise RuntimeError("not even an attempt")
        return attempt(job, lost)

    monkeypatch.setattr(calling, "attempt", broken)
    work_until_idle(patience=6.0, seconds=30.0)
    assert [state(run) for run in runs] == ["succeeded", "succeeded", "succeeded", "failed", "succeeded"]
    assert not Step.objects.filter(state="running").exists()


def test_a_commit_that_fails_loses_no_step(sizes: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(5)
    noted, broken = checkpoint.write_many, [True]

    def refused(items: Sequence[Any], *others: Any) -> Any:
        if broken.pop() if broken else False:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1/0")
        return noted(items, *others)

    monkeypatch.setattr(checkpoint, "write_many", refused)
    work_until_idle()
    assert not broken
    assert set(Run.objects.values_list("state", flat=True)) == {"succeeded"}
    assert not Attempt.objects.exists()


def _as_begun(held: Claimed) -> checkpoint.Progress:
    step = checkpoint.StepWrite(
        state="succeeded",
        key=held.key,
        ref=held.ref,
        name=held.name,
        kind=held.kind,
        function=held.function,
        action_version=held.action_version,
        input=held.input,
        output={"n": 1},
        attempt=1,
    )
    return checkpoint.Progress(step=step, cursor=held.cursor, links=[])


def _ended(held: Claimed) -> checkpoint.Progress:
    step = checkpoint.StepWrite(
        state="succeeded",
        key=held.key or "/do/0/one",
        ref="/do/0/one",
        name="one",
        kind="call",
        function="test-pure:1.0.0",
        action_version=held.action_version,
        attempt=1,
    )
    return checkpoint.Progress(step=step, cursor=held.cursor, links=[])
