"""What could go wrong where branches meet: each other, the fork around them, and people."""

import time
import uuid
from typing import Any

import pytest
from django.db.models.functions import Now

from tests.support.documents import publish
from tests.support.engine import begin, broadcast, finished, state, work_until_idle
from tests.support.interleaving import before_checkpoint, work_on
from tests.support.soundness import assert_sound
from workflows import operations
from workflows.models import Branch, Run, Step, Subscription

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}


def test_two_branches_that_export_at_once_both_count(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin("""
do:
  - both:
      fork:
        branches:
          - left: {call: test-echo, with: {value: 1}, export: {as: "${ $context + {left: 1} }"}}
          - right: {call: test-echo, with: {value: 2}, export: {as: "${ $context + {right: 2} }"}}
""")
    work_on("both").done()
    turn = before_checkpoint("left", monkeypatch)
    one = work_on("left")
    turn.reached()
    work_on("right").done()
    turn.go()
    one.done()
    assert finished(run_id).state == "succeeded"
    assert Run.objects.get(pk=run_id).context == {"left": 1, "right": 2}


def test_a_task_of_a_branch_that_faults_again_when_it_is_retried_parks_again() -> None:
    run_id = begin("""
do:
  - both:
      fork:
        branches:
          - bad: {set: {v: '${ error("no") }'}}
          - good: {set: {v: 1}}
""")
    assert finished(run_id).state == "failed"
    operations.retry(run_id, **WHY)
    assert finished(run_id).state == "failed"
    step = Step.objects.get(run=run_id, kind="task", name="bad")
    assert (step.state, step.crashes) == ("failed", 0)
    assert "no" in str(step.error)


def test_branches_that_end_a_parked_run_wait_beside_each_other() -> None:
    run_id = begin("""
do:
  - all:
      fork:
        branches:
          - bad: {set: {v: '${ if $context.go then 1 else error("no") end }'}}
          - one: {do: [{a: {call: test-echo, with: {value: 1}, then: end}}]}
          - two: {do: [{b: {call: test-echo, with: {value: 2}, then: end}}]}
""")
    work_on("all").done()
    work_on("bad").done()
    Step.objects.filter(run=run_id, state="held").exclude(kind="join").update(state="ready")  # as if they had begun
    work_until_idle()
    assert state(run_id) == "failed"
    assert not Step.objects.filter(run=run_id, crashes__gt=0).exists()
    operations.retry(run_id, **WHY)
    assert finished(run_id).state in ("failed", "succeeded")
    assert not Step.objects.filter(run=run_id, crashes__gt=0).exists()


LEFT = """
do:
  - outer:
      try:
        - both:
            fork:
              branches:
                - slow: {do: [{long: %s}], timeout: {after: {milliseconds: 100}}}
                - other: {wait: {hours: 1}}
      catch: {do: [{rest: {wait: {hours: 1}}}]}
"""


@pytest.mark.parametrize(
    "leaf",
    [
        "{wait: {hours: 1}}",
        '{call: approval, with: {title: "Ok?"}}',
        "{listen: {to: {one: {with: {type: paid}}}}}",
        "{run: {workflow: {namespace: tests, name: child, version: 1.0.0}}}",
        "{fork: {branches: [{x: {wait: {hours: 1}}}, {y: {wait: {hours: 1}}}]}}",
    ],
)
def test_a_branch_that_is_left_for_its_timeout_leaves_nothing_open(leaf: str) -> None:
    publish("child", "do: [{rest: {wait: {hours: 1}}}]")
    run_id = begin(LEFT % leaf)
    work_until_idle()
    assert state(run_id) == "waiting"
    left = Step.objects.filter(run=run_id, state__in=("ready", "waiting", "held", "running"))
    assert list(left.values_list("name", flat=True)) == ["rest"]
    assert Branch.objects.filter(run=run_id, state="open").count() == 1
    assert not Subscription.objects.exists()
    assert not Run.objects.filter(parent_step__isnull=False).exclude(state="cancelled").exists()


def test_a_listen_whose_body_faults_in_a_branch_is_caught_around_the_fork() -> None:
    run_id = begin("""
do:
  - outer:
      try:
        - both:
            fork:
              branches:
                - hear:
                    listen: {to: {one: {with: {type: paid}}}}
                    foreach: {do: [{bad: {set: {v: '${ error("no") }'}}}]}
                - other: {wait: {hours: 1}}
      catch: {do: [{caught: {set: {caught: true}}}]}
""")
    work_until_idle()
    broadcast()
    done = finished(run_id)
    assert (done.state, done.output) == ("succeeded", {"caught": True})
    assert_sound(run_id)


def test_the_outputs_of_branches_together_are_no_larger_than_a_value_may_be() -> None:
    run_id = begin("""
do:
  - both:
      fork:
        branches:
          - a: {set: {v: '${ [range(150000)] }'}}
          - b: {set: {v: '${ [range(150000)] }'}}
  - last: {set: {v: '${ length }'}}
""")
    work_until_idle(20)
    run = Run.objects.get(pk=run_id)
    assert run.state == "failed", run.output
    assert "1048576" in str(run.error) or "1,048,576" in str(run.error) or "MiB" in str(run.error), run.error


def parked_join() -> Any:
    """Park a run behind a fork: its fault was to be tried again, and then there was no time left for that."""
    run_id = begin("""
do:
  - guarded:
      try:
        - both:
            fork:
              branches:
                - bad: {raise: {error: {type: "urn:x", status: 500}}}
                - ask: {call: approval, with: {title: "Ok?"}}
                - sub: {run: {workflow: {namespace: tests, name: child, version: 1.0.0}}}
      catch: {retry: {delay: {hours: 1}, limit: {duration: {seconds: 1}}}}
  - last: {set: {got: "${ . }"}}
""")
    for name in ("guarded", "ask", "sub", "bad"):
        work_on(name).done()
    time.sleep(1.0)
    work_until_idle()
    join = Step.objects.get(run=run_id, kind="join")
    assert (state(run_id), join.state) == ("failed", "failed")
    return run_id


def test_a_fork_whose_fault_nobody_takes_any_more_can_be_passed_over() -> None:
    publish("child", "do: [{rest: {wait: {hours: 1}}}]")
    run_id = parked_join()
    operations.retry(run_id, **WHY)
    work_until_idle()
    assert state(run_id) == "failed"
    join = Step.objects.get(run=run_id, kind="join")
    operations.skip(run_id, join.key, ["by hand"], **WHY)
    assert not Step.objects.filter(run=run_id, name__in=("ask", "sub"), state__in=("ready", "held")).exists()
    done = finished(run_id)
    assert (done.state, done.output) == ("succeeded", {"got": ["by hand"]})
    assert Run.objects.get(parent_step__isnull=False).state == "cancelled"
    assert_sound(run_id)


def test_a_fork_that_is_passed_over_is_not_asked_for_what_failed_in_its_branches() -> None:
    publish("child", "do: [{rest: {wait: {hours: 1}}}]")
    run_id = parked_join()
    Step.objects.filter(run=run_id, name="ask").update(state="ready")
    Step.objects.filter(run=run_id, name="ask").update(state="running", leased_by=uuid.uuid4(), lease_expires_at=Now())
    Step.objects.filter(run=run_id, name="ask").update(state="failed", leased_by=None, lease_expires_at=None)
    join = Step.objects.get(run=run_id, kind="join")
    operations.skip(run_id, join.key, [], **WHY)
    assert finished(run_id).state == "succeeded"
    assert_sound(run_id)


DEADLINE = """
do:
  - guarded:
      try:
        - block:
            timeout: {after: {hours: 1}}
            do:
              - both:
                  fork:
                    branches:
                      - left: {call: approval, with: {title: "Ok?"}}
                      - right:
                          do:
                            - say: {call: test-echo, with: {value: 2}, export: {as: "${ $context + {right: 2} }"}}
                            - ask: {call: approval, with: {title: "Ok?"}}
      catch: {do: [{late: {set: {v: 1}, export: {as: "${ $context + {late: true} }"}, then: %s}}]}
  - rest: {call: approval, with: {title: "Ok?"}}
"""


@pytest.mark.parametrize("then", ["continue", "end"])
def test_a_deadline_around_a_fork_keeps_what_a_branch_exports_at_that_moment(
    then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begin(DEADLINE % then)
    work_on("guarded").done()
    turn = before_checkpoint("block", monkeypatch)
    timer = work_on("block")
    turn.reached()
    work_on("right").done()
    turn.go()
    timer.done()
    assert Run.objects.get(pk=run_id).context == {"right": 2, "late": True}


def test_a_branch_that_is_parked_keeps_what_another_exports_at_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin("""
do:
  - both:
      fork:
        branches:
          - left:
              do:
                - say: {set: {v: 1}, export: {as: "${ $context + {left: 1} }"}}
                - bad: {raise: {error: {type: "urn:x", status: 500}}}
          - right: {call: test-echo, with: {value: 2}, export: {as: "${ $context + {right: 2} }"}}
""")
    work_on("both").done()
    turn = before_checkpoint("left", monkeypatch)
    left = work_on("left")
    turn.reached()
    work_on("right").done()
    turn.go()
    left.done()
    assert state(run_id) == "failed"
    assert Run.objects.get(pk=run_id).context == {"left": 1, "right": 2}


def test_the_next_step_of_a_branch_sees_what_another_exported_also_under_the_same_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = begin("""
do:
  - both:
      fork:
        branches:
          - left:
              do:
                - one: {call: test-echo, with: {value: 1}}
                - two: {call: test-echo, with: {value: 2}}
                - three: {call: test-echo, with: {value: "${ $context }"}}
          - right: {call: test-echo, with: {value: 1}, export: {as: '${ $context + {right: ("x" * 5000)} }'}}
""")
    work_on("both").done()
    turn = before_checkpoint("left", monkeypatch)
    left = work_on("left")
    turn.reached()
    work_on("right").done()
    turn.go()
    left.done()
    three = Step.objects.get(run=run_id, name="three")
    assert (three.state, three.claim) == ("succeeded", 1)
    done = finished(run_id)
    assert done.state == "succeeded"
    assert done.output[0] == {"right": "x" * 5000}
