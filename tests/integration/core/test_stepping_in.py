"""What people do to runs, through real workers: approvals, skips, pauses, timers, undo."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from audit.verify import verify
from tests.support import way
from tests.support.documents import publish
from tests.support.engine import finished, shown, start_workflow, work_until_idle
from workflows import operations, queries
from workflows.approvals import Person
from workflows.models import Message, Run, Step

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}
ADA = Person("ada")
ASK = """
do:
  - ask:
      call: approval
      with: {title: "Raise the limit?", form: {type: object, required: [limit], properties: {limit: {type: number}}}}
  - set-it: {set: {decision: "${ .decision }", by: "${ .by }", limit: "${ .data.limit }"}}
"""


def begun(body: str, value: Any = None, name: str = "flow") -> queries.RunDetail:
    """Publish, start, and work until nothing is due."""
    return finished(start_workflow(publish(name, body), value))


def key(run: queries.RunDetail, name: str) -> str:
    return next(step.key for step in shown(run.id).steps if step.name == name)


def answer(run: queries.RunDetail, decision: str, data: Any = None, name: str = "ask") -> None:
    operations.answer_approval(run.id, key(run, name), decision, data, person=ADA, actor="user:ada")


# --- approvals -------------------------------------------------------------------------------------------------------
def test_a_workflow_waits_for_a_person_without_a_worker_and_goes_on_with_the_answer() -> None:
    run = begun(ASK)
    assert (run.state, run.label, run.now) == ("waiting", "waiting_person", "waiting for a person (ask)")
    assert not Step.objects.filter(run=run.id, state="running").exists()
    answer(run, "approved", {"limit": 500})
    done = finished(run.id)
    assert (done.state, done.output) == ("succeeded", {"decision": "approved", "by": "ada", "limit": 500})
    step = done.steps[0]
    assert set(step.output) == {"decision", "by", "data", "at"}
    assert Message.objects.get().consumed_at is not None
    assert verify().broken == []


def test_a_run_that_waits_for_a_person_names_the_step_that_asks_though_a_timer_in_another_branch_is_due() -> None:
    run = begun("""
do:
  - both:
      fork:
        branches:
          - ask: {call: approval, with: {title: "Go on?", dueIn: {days: 2}}}
          - c: {wait: {hours: 1}}
""")
    assert run.now == "waiting for a person (ask)"
    operations.fire_timer(run.id, key(run, "c"), **WHY)
    assert (shown(run.id).reason, shown(run.id).now) == ("person", "waiting for a person (ask)")
    assert finished(run.id).now == "waiting for a person (ask)"


def test_an_approval_that_nobody_answers_in_time_escalates_through_try_and_catch() -> None:
    run = begun("""
do:
  - first:
      try:
        - ask: {call: approval, with: {title: "Pay?", dueIn: {milliseconds: 50}}}
      catch:
        errors: {with: {type: "https://serverlessworkflow.io/spec/1.0.0/errors/timeout", status: 408}}
        do:
          - boss: {call: approval, with: {title: "Nobody answered. Pay?"}}
""")
    time.sleep(0.1)
    again = finished(run.id)
    assert (again.state, [step.name for step in again.steps]) == ("waiting", ["ask", "boss"])
    assert (again.steps[0].state, again.steps[0].label) == ("failed", "caught")
    answer(again, "rejected", name="boss")
    assert finished(run.id).output["decision"] == "rejected"


def test_the_timeout_of_the_task_escalates_as_well() -> None:
    run = begun("""
do:
  - first:
      try:
        - ask: {call: approval, with: {title: "Pay?"}, timeout: {after: {milliseconds: 50}}}
      catch:
        errors: {with: {status: 408}}
        do: [{late: {set: {late: true}}}]
""")
    time.sleep(0.1)
    assert finished(run.id).output == {"late": True}


def test_a_late_answer_is_told_that_the_approval_is_over() -> None:
    run = begun('do: [{ask: {call: approval, with: {title: "Pay?", dueIn: {milliseconds: 10}}}}]')
    time.sleep(0.05)
    failed = finished(run.id)
    assert (failed.label, failed.error["status"]) == ("timed_out", 408)
    with pytest.raises(operations.NotAllowed, match="This approval is over"):
        answer(failed, "approved")
    operations.retry(run.id, **WHY)
    assert finished(run.id).state == "failed", "the due moment has passed for good"


@pytest.mark.parametrize("value", [{"dueIn": "P1M"}, {"dueIn": "soon"}, {"form": {"type": "strange"}}])
def test_what_cannot_be_asked_fails_the_step_with_a_reason(value: dict[str, Any]) -> None:
    (name,) = value
    run = begun(f'do: [{{ask: {{call: approval, with: {{title: x, {name}: "${{ .{name} }}"}}}}}}]', value)
    assert (run.state, run.steps[-1].error["code"]) == ("failed", "invalid_input")


def test_an_answer_that_comes_while_the_run_is_suspended_counts_when_it_goes_on() -> None:
    run = begun('do: [{ask: {call: approval, with: {title: "Pay?", dueIn: {hours: 1}}}}]')
    operations.suspend(run.id, **WHY)
    answer(run, "approved")
    assert finished(run.id).state == "suspended"
    operations.resume(run.id, **WHY)
    assert finished(run.id).output["decision"] == "approved"


# --- pauses ----------------------------------------------------------------------------------------------------------
def test_a_suspended_run_does_nothing_until_it_goes_on_where_it_was() -> None:
    run = begun("do: [{nap: {wait: {milliseconds: 30}}}, {echo: {call: test-echo, with: {value: 1}}}]", name="paused")
    run = shown(start_workflow("paused", {}))
    operations.suspend(run.id, **WHY)
    time.sleep(0.05)
    assert [step.state for step in finished(run.id).steps] == ["held"]
    operations.resume(run.id, **WHY)
    time.sleep(0.05)
    work_until_idle()
    assert finished(run.id).output == 1
    assert verify().broken == []


def test_a_deadline_pauses_with_its_run() -> None:
    run = begun("do: [{slow: {do: [{nap: {wait: {hours: 2}}}], timeout: {after: {hours: 1}}}}]")
    before = Step.objects.get(run=run.id, kind="timer").due_at
    operations.suspend(run.id, **WHY)
    time.sleep(0.3)
    operations.resume(run.id, **WHY)
    deadline = Step.objects.get(run=run.id, kind="timer")
    assert 0.3 <= (deadline.due_at - before).total_seconds() < 30
    assert shown(run.id).label == "waiting"
    operations.fire_timer(run.id, deadline.key, **WHY)
    assert finished(run.id).label == "timed_out"


def test_a_fork_goes_on_in_all_branches() -> None:
    run = begun(
        """
do:
  - both:
      fork:
        branches:
          - left: {wait: {hours: 1}}
          - right: {call: approval, with: {title: "Pay?"}}
""",
        {"n": 1},
    )
    assert run.label == "waiting_person", "what a person has to do counts before what time will bring"
    operations.suspend(run.id, **WHY)
    assert {step.state for step in finished(run.id).steps if step.kind != "start"} == {"held"}
    operations.resume(run.id, **WHY)
    assert finished(run.id).label == "waiting_person"
    answer(run, "approved", name="right")
    assert finished(run.id).label == "waiting"
    operations.fire_timer(run.id, key(run, "left"), **WHY)
    assert [type(part) for part in finished(run.id).output] == [dict, dict]


# --- repair ----------------------------------------------------------------------------------------------------------
def test_a_failed_step_is_passed_over_and_the_workflow_goes_on_with_the_output() -> None:
    run = begun("""
do:
  - charge: {call: test-refuses, with: {code: declined}}
  - after: {set: {paid: "${ .paid }"}}
""")
    assert run.state == "failed"
    operations.skip(run.id, key(run, "charge"), {"paid": "by bank"}, **WHY)
    done = finished(run.id)
    assert (done.state, done.output) == ("succeeded", {"paid": "by bank"})
    assert (done.steps[0].state, done.steps[0].output) == ("skipped", {"paid": "by bank"})
    assert verify().broken == []


@pytest.mark.parametrize(
    "task",
    [
        "set: {broken: '${ error(1) }'}",
        "wait: {hours: 1}",
        "call: approval\n      with: {title: x}",
        "listen: {to: {one: {with: {type: com.example.paid}}}}",
    ],
)
def test_whatever_a_run_waits_for_or_failed_at_can_be_passed_over(task: str) -> None:
    run = begun(f'do:\n  - rest:\n      {task}\n  - after: {{set: {{got: "${{ .n }}"}}}}\n')
    operations.skip(run.id, key(run, "rest"), {"n": 7}, **WHY)
    done = finished(run.id)
    assert (done.state, [step.state for step in done.steps if step.name == "rest"]) == ("succeeded", ["skipped"])
    if "wait" not in task:
        assert done.output == {"got": 7}


def test_a_wait_is_over_when_a_person_says_so() -> None:
    run = begun("do: [{nap: {wait: {hours: 1}}}, {after: {set: {done: true}}}]")
    operations.fire_timer(run.id, key(run, "nap"), **WHY)
    assert finished(run.id).output == {"done": True}


def test_a_wait_for_a_moment_is_over_when_a_person_says_so() -> None:
    body = 'do: [{nap: {call: wait-until, with: {at: "${ .at }"}}}, {after: {set: {done: true}}}]'
    run = begun(body, {"at": (timezone.now() + timedelta(days=1)).isoformat()})
    assert run.state == "waiting"
    operations.fire_timer(run.id, key(run, "nap"), **WHY)
    assert finished(run.id).output == {"done": True}
    assert Message.objects.get().consumed_at is not None


def test_a_deadline_that_a_person_fires_times_the_task_out() -> None:
    run = begun("""
do:
  - t:
      try: [{nap: {wait: {hours: 2}, timeout: {after: {hours: 1}}}}]
      catch: {errors: {with: {status: 408}}, do: [{late: {set: {late: true}}}]}
""")
    deadline = Step.objects.get(run=run.id, kind="timer")
    operations.fire_timer(run.id, deadline.key, **WHY)
    assert finished(run.id).output == {"late": True}


@pytest.mark.parametrize("whose", ["parent", "child"])
@pytest.mark.parametrize("task", ["run: {workflow: {namespace: tests, name: child, version: latest, input: '${ . }'}}",
                                  "call: map\n      with: {items: ['${ . }'], workflow: {name: child}}"])  # fmt: skip
def test_a_retry_of_the_parent_or_of_the_child_that_failed_it_lets_both_go_on(
    tmp_path: Path, whose: str, task: str
) -> None:
    publish("child", "do: [{out: {call: test-outside, with: {file: '${ .file }', fail: 3}}}]")
    parent = begun(f"do:\n  - sub:\n      {task}\n", {"file": str(tmp_path / "calls")}, name="parent")
    child = Run.objects.get(depth=1)
    assert (parent.state, child.state, parent.steps[0].error["code"]) == ("failed", "failed", "child_failed")
    operations.retry(parent.id if whose == "parent" else child.id, **WHY)
    assert finished(parent.id).state == "succeeded"
    assert shown(child.id).state == "succeeded"
    assert verify().broken == []


# --- undo ------------------------------------------------------------------------------------------------------------
TRIP = """
do:
  - flight:
      call: test-echo
      with: {value: {id: f1}}
      metadata: {dotdo: {undo: {call: test-echo, with: {value: "${ .id }"}}}}
  - hotel:
      call: test-echo
      with: {value: {id: h1}}
      metadata: {dotdo: {undo: {call: test-echo, with: {value: "${ .id }"}}}}
  - %s
"""


@pytest.mark.parametrize("last", ["pay: {call: test-refuses, with: {code: declined}}", "nap: {wait: {hours: 1}}"])
def test_a_run_is_undone_on_request_the_last_step_first(last: str) -> None:
    run = begun(TRIP % last)
    operations.undo(run.id, **WHY)
    done = finished(run.id)
    assert (done.state, done.label) == ("cancelled", "undone")
    undone = [step for step in done.steps if step.kind == "undo" and step.function]
    assert [(step.name, step.input["value"], step.label) for step in undone] == [
        ("hotel", "h1", "undone"),
        ("flight", "f1", "undone"),
    ]
    assert verify().broken == []


def test_a_suspended_run_is_undone_too_and_an_undo_that_failed_is_retried_or_skipped() -> None:
    body = (TRIP % "nap: {wait: {hours: 1}}").replace(
        'undo: {call: test-echo, with: {value: "${ .id }"}}', "undo: {call: test-refuses, with: {code: gone}}", 1
    )
    run = begun(body)
    operations.suspend(run.id, **WHY)
    operations.undo(run.id, **WHY)
    failed = finished(run.id)
    assert (failed.state, failed.label) == ("failed", "undo_failed")
    operations.retry(run.id, **WHY)
    assert finished(run.id).label == "undo_failed"
    step = next(step for step in shown(run.id).steps if step.kind == "undo" and step.state == "failed")
    operations.skip(run.id, step.key, None, **WHY)
    assert finished(run.id).label == "undone"
    assert verify().broken == []


def test_a_run_that_undoes_itself_after_a_fault_is_no_dead_letter() -> None:
    head = "document: {dsl: 1.0.3, namespace: tests, name: trip, version: 1.0.0, metadata: {dotdo: {onFault: undo}}}\n"
    draft = operations.draft_workflow(
        head + TRIP % "pay: {call: test-refuses, with: {code: declined}}", actor="user:test"
    )
    operations.publish_workflow(draft.id, actor="user:test")
    run = finished(start_workflow("trip", {}))
    assert (run.state, run.label) == ("failed", "undone")
    assert "what it had done is undone" in run.now
    assert run.can_retry is not None
    assert [found.id for found in queries.runs(queries.RunFilter(label="undone")).items] == [run.id]
    assert queries.runs(queries.RunFilter(label="dead_letter")).items == []


# --- path ------------------------------------------------------------------------------------------------------------
def test_the_path_of_a_run_tells_cases_iterations_and_what_was_caught() -> None:
    run = begun(
        """
do:
  - which: {switch: [{big: {when: ". > 10", then: many}}, {small: {then: continue}}]}
  - never: {if: "${ false }", set: {a: 1}}
  - many:
      for: {each: n, in: "${ [1, 2] }"}
      do:
        - t:
            try: [{pay: {call: test-refuses, with: {code: declined}}}]
            catch: {do: [{note: {set: {noted: true}}}]}
""",
        5,
    )
    assert run.state == "succeeded"
    told = [(line.name, line.words.partition(" ")[0]) for line in way.path(run.id).lines]
    assert ("which", "took") in told
    assert ("never", "skipped") in told
    assert [words for name, words in told if name == "many"].count("iteration") == 2
    assert ("t", "caught") in told
    assert [name for name, _ in told].count("pay") == 2


def test_what_a_saga_caught_stands_behind_what_it_undid_first() -> None:
    undo = "metadata: {dotdo: {undo: {call: test-echo, with: {value: 9}}}}"
    run = begun(
        f"""
do:
  - order:
      metadata: {{dotdo: {{saga: true}}}}
      try:
        - charge: {{call: test-echo, with: {{value: 1}}, {undo}}}
        - reserve: {{call: test-echo, with: {{value: 2}}, {undo}}}
        - ship: {{call: test-refuses, with: {{code: declined}}}}
      catch: {{do: [{{note: {{set: {{noted: true}}}}}}, {{tell: {{call: test-echo, with: {{value: 3}}}}}}]}}
""",
        {},
    )
    assert run.state == "succeeded"
    lines = way.path(run.id).lines
    assert [line.name for line in lines] == [
        "charge", "reserve", "ship", "undo of reserve", "undo of charge", "order", "note", "tell", "order",
    ]  # fmt: skip
    assert lines[5].sign == "caught"
    assert [line.at for line in lines] == sorted(line.at for line in lines)
