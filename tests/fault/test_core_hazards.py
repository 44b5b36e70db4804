"""What could go wrong where branches, blocks, undoing and people meet, each brought about once."""

import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db.models.functions import Now

from tests.support.documents import publish
from tests.support.engine import finished, start_workflow, state, work_until_idle
from tests.support.interleaving import Doing, before_checkpoint, let_all_go, work_on
from tests.support.soundness import assert_sound
from workflows import checkpoint, effects, operations, payloads, wake
from workflows.engine.messages import CallFunction
from workflows.models import Branch, Run, Step, Subscription, Undo
from workflows.payloads import Packer

pytestmark = pytest.mark.usefixtures("handlers")
WHY = {"actor": "user:ada", "reason": "because"}


@pytest.fixture(autouse=True)
def _nobody_waits_for_ever() -> Iterator[None]:
    yield
    let_all_go()


def begun(text: str, value: Any = None) -> Any:
    publish("story", text)
    return start_workflow("story", {} if value is None else value)


def send(kind: str = "paid", number: int = 1) -> None:
    event = {"specversion": "1.0", "id": f"{kind}{number}", "source": "/tests", "type": kind, "data": number}
    operations.deliver_event(event, actor="user:test", via="api")


def test_two_branches_that_export_at_once_both_count(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begun("""
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
    run_id = begun("""
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


def test_the_timer_of_a_block_rests_when_the_run_is_parked_as_the_block_begins() -> None:
    run_id = begun("""
do:
  - guarded:
      try:
        - block: {timeout: {after: {milliseconds: 200}}, do: [{bad: {set: {v: '${ error("no") }'}}}]}
      catch: {errors: {with: {status: 408}}}
""")
    work_until_idle(patience=0.0)
    assert state(run_id) == "failed"
    assert Step.objects.get(run=run_id, kind="timer").state == "held"


def test_branches_that_end_a_parked_run_wait_beside_each_other() -> None:
    run_id = begun("""
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


def test_a_run_that_was_undone_for_its_fault_cannot_be_retried_into_nothing() -> None:
    publish(
        "story",
        """
do:
  - one: {call: test-echo, with: {value: 1}, metadata: {dotdo: {undo: {call: test-echo, with: {value: 2}}}}}
  - bad: {call: test-refuses}
""",
    )
    draft = operations.draft_workflow(
        """
document: {dsl: 1.0.3, namespace: tests, name: undoes, version: 1.0.0, metadata: {dotdo: {onFault: undo}}}
do:
  - one: {call: test-echo, with: {value: 1}, metadata: {dotdo: {undo: {call: test-echo, with: {value: 2}}}}}
  - bad: {call: test-refuses}
""",
        actor="user:test",
    )
    operations.publish_workflow(draft.id, actor="user:test")
    run_id = start_workflow("undoes", {})
    done = finished(run_id)
    assert (done.state, done.reason) == ("failed", "undone")
    with pytest.raises(operations.NotAllowed):
        operations.retry(run_id, **WHY)
    assert state(run_id) == "failed"


LISTEN = """
do:
  - hear:
      listen: {to: {any: [{with: {type: paid}}], until: "${ length == 2 }"}}
      foreach: {do: [{ask: {call: approval, with: {title: "Ok?"}}}]}
  - after: {set: {heard: "${ . }"}}
"""


def test_a_listen_that_is_skipped_while_its_body_runs_is_passed_over_behind_it() -> None:
    run_id = begun(LISTEN)
    work_until_idle()
    send()
    work_until_idle()
    listen, ask = (Step.objects.get(run=run_id, name=name) for name in ("hear", "ask"))
    operations.skip(run_id, listen.key, ["by hand"], **WHY)
    work_until_idle()
    operations.skip(run_id, ask.key, "ok", **WHY)
    done = finished(run_id)
    assert (done.state, done.output) == ("succeeded", {"heard": ["by hand"]})
    assert_sound(run_id)


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
    run_id = begun(LEFT % leaf)
    work_until_idle()
    assert state(run_id) == "waiting"
    left = Step.objects.filter(run=run_id, state__in=("ready", "waiting", "held", "running"))
    assert list(left.values_list("name", flat=True)) == ["rest"]
    assert Branch.objects.filter(run=run_id, state="open").count() == 1
    assert not Subscription.objects.exists()
    assert not Run.objects.filter(parent_step__isnull=False).exclude(state="cancelled").exists()


def test_a_listen_whose_body_faults_in_a_branch_is_caught_around_the_fork() -> None:
    run_id = begun("""
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
    send()
    done = finished(run_id)
    assert (done.state, done.output) == ("succeeded", {"caught": True})
    assert_sound(run_id)


def test_a_first_task_that_cannot_begin_can_be_passed_over_with_its_input() -> None:
    run_id = begun("""
input: {from: '${ error("no") }'}
do:
  - one: {set: {got: "${ . }"}}
""")
    assert finished(run_id).state == "failed"
    step = Step.objects.get(run=run_id, state="failed")
    operations.skip(run_id, step.key, 7, **WHY)
    done = finished(run_id)
    assert (done.state, done.output) == ("succeeded", {"got": 7})


COMPENSATE = """
do:
  - outside: {call: test-echo, with: {value: 1}, metadata: {dotdo: {undo: {call: test-echo, with: {value: outside}}}}}
  - guarded:
      try:
        - saga:
            metadata: {dotdo: {saga: true}}
            timeout: {after: {milliseconds: 300}}
            do:
              - inside:
                  call: test-echo
                  with: {value: 1}
                  metadata: {dotdo: {undo: {call: test-says-no, with: {message: later, retryable: true}}}}
              - undo: {call: saga.compensate}
      catch: {do: [{rest: {call: approval, with: {title: "Ok?"}}}]}
"""


def test_a_timeout_waits_for_an_undo_that_the_workflow_called_for() -> None:
    run_id = begun(COMPENSATE)
    work_until_idle(patience=0.5)
    undo = Step.objects.get(run=run_id, kind="undo")
    operations.skip(run_id, undo.key, None, **WHY)
    work_until_idle(patience=1.2)
    assert Undo.objects.get(run=run_id, name="outside").state == "recorded"
    assert not Step.objects.filter(run=run_id, kind="undo", name="outside").exists()
    assert not Step.objects.filter(run=run_id, name="undo", state__in=("ready", "waiting", "running")).exists()


CUT_UNDO = """
do:
  - outer:
      try:
        - saga:
            metadata: {dotdo: {saga: true}}
            do:
              - both:
                  fork:
                    branches:
                      - one:
                          try:
                            - inner:
                                metadata: {dotdo: {saga: true}}
                                do:
                                  - pay:
                                      call: test-echo
                                      with: {value: 1}
                                      metadata:
                                        dotdo: {undo: {call: test-outside, with: {file: "${ $input.file }", fail: 1}}}
                                  - bad: {raise: {error: {type: "urn:x", status: 500}}}
                          catch: {}
                      - two: {call: approval, with: {title: "Ok?", dueIn: {milliseconds: 200}}}
      catch: {do: [{caught: {set: {caught: true}}}]}
"""


def test_an_undo_that_was_cut_is_taken_up_again_as_the_same_effect(tmp_path: Path) -> None:
    run_id = begun(CUT_UNDO, {"file": str(tmp_path / "f")})
    work_on("outer").done()
    work_on("one").done()  # pays, faults, begins to undo
    undo = Step.objects.get(run=run_id, kind="undo")
    if undo.state == "ready":
        Step.objects.filter(pk=undo.pk).update(due_at="2100-01-01T00:00:00Z")
    done = finished(run_id)
    assert (done.state, done.output) == ("succeeded", {"caught": True}), Step.objects.filter(run=run_id).values()
    assert Undo.objects.get(run=run_id).state == "done"
    keys = {line.split()[0] for line in (tmp_path / "f").read_text().splitlines()}
    assert len(keys) == 1
    assert_sound(run_id)


@pytest.mark.parametrize(
    "text",
    [
        "do: [{one: {set: {v: 1}}}, {rest: {wait: {hours: 1}}}]",
        "do: [{one: {call: test-echo, with: {value: 1}}}, {rest: {wait: {hours: 1}}}]",
        "do: [{one: {wait: {milliseconds: 1}}}, {rest: {wait: {hours: 1}}}]",
        "do: [{one: {call: test-outside, with: {file: /dev/null}}}, {rest: {wait: {hours: 1}}}]",
        "do: [{f: {fork: {branches: [{a: {set: {v: 1}}}, {b: {set: {v: 1}}}]}}}, {rest: {wait: {hours: 1}}}]",
    ],
)
def test_a_cursor_that_grew_too_large_parks_its_run_with_the_place_and_the_limit(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint.values, "LARGEST_CURSOR", 100)
    run_id = begun(text)
    work_until_idle()
    run = Run.objects.get(pk=run_id)
    assert run.state == "failed"
    assert run.error is not None
    assert run.error["type"].endswith("/runtime")
    assert "100 bytes" in run.error["detail"]
    assert not Step.objects.filter(run=run_id, crashes__gt=0).exists()


def test_what_a_call_leaves_for_its_undo_and_a_listen_for_its_events_is_kept_beside_the_cursor() -> None:
    large = {"value": "x" * 10_000}
    assert len(Packer().cursor({"frames": [{"arguments": large, "pins": large}]})) < 500


LATE = """
do:
  - guarded:
      try:
        - block:
            timeout: {after: {milliseconds: 300}}
            do:
              - leaf:
                  call: test-outside
                  with: {file: "${ .file }"}
                  metadata: {dotdo: {undo: {call: test-echo, with: {value: "${ $output.attempt }"}}}}
      catch: {errors: {with: {status: 408}}, retry: {delay: {milliseconds: 10}, limit: {attempt: {count: 3}}}}
  - rest: {call: approval, with: {title: "Ok?"}}
"""


def test_an_effect_that_a_later_attempt_has_made_its_own_is_not_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = before_checkpoint("leaf", monkeypatch)
    run_id = begun(LATE, {"file": str(tmp_path / "f")})
    one = Doing(work_until_idle)
    turn.reached()
    work_until_idle(patience=0.5)  # it times out, and the second attempt has the effect
    turn.go()
    one.done()
    work_until_idle()
    assert Step.objects.get(run=run_id, name="leaf", key__contains="@2").state == "succeeded"
    assert not Step.objects.filter(run=run_id, kind="undo").exists()
    assert Undo.objects.get(run=run_id).state == "recorded"


def test_a_deadline_whose_block_ended_all_the_same_does_not_outlive_it() -> None:
    run_id = begun("""
do:
  - block:
      timeout: {after: {milliseconds: 100}}
      do: [{ask: {call: approval, with: {title: "Ok?"}}}]
""")
    work_until_idle()
    assert state(run_id) == "failed"
    ask = Step.objects.get(run=run_id, name="ask")
    operations.skip(run_id, ask.key, 1, **WHY)
    work_until_idle()
    operations.retry(run_id, **WHY)
    assert finished(run_id).state == "succeeded"
    assert_sound(run_id)


def test_a_step_that_crashed_in_a_suspended_run_is_not_executed_again(tmp_path: Path) -> None:
    run_id = begun("do: [{one: {call: test-outside, with: {file: '${ .file }'}}}]", {"file": str(tmp_path / "f")})
    operations.suspend(run_id, **WHY)
    Step.objects.filter(run=run_id).update(state="ready", due_at=Now())  # as the reaper leaves it
    work_until_idle()
    assert not (tmp_path / "f").exists()
    assert Step.objects.get(run=run_id).state == "held"
    operations.resume(run_id, **WHY)
    assert finished(run_id).state == "succeeded"


def test_a_run_that_is_resumed_while_a_step_runs_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begun("do: [{one: {timeout: {after: {hours: 1}}, do: [{two: {call: test-echo, with: {value: 1}}}]}}]")
    turn = before_checkpoint("two", monkeypatch)
    worker = Doing(work_until_idle)
    turn.reached()
    operations.suspend(run_id, **WHY)
    operations.resume(run_id, **WHY)
    assert state(run_id) == "running"
    turn.go()
    worker.done()
    assert finished(run_id).state == "succeeded"


def test_a_map_that_looks_at_its_children_when_its_branch_is_left_leaves_none_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish("child", "do: [{rest: {wait: {hours: 1}}}]")
    run_id = begun("""
do:
  - both:
      fork:
        compete: true
        branches:
          - all: {call: map, with: {items: [1, 2], workflow: {name: child}}}
          - quick: {call: approval, with: {title: "Ok?"}}
""")
    work_until_idle()
    turn = before_checkpoint("all", monkeypatch)
    step = Step.objects.get(run=run_id, name="all")
    wake.step(step.pk)
    slow = work_on("all")
    turn.reached()
    operations.skip(run_id, Step.objects.get(run=run_id, name="quick").key, 1, **WHY)
    winner = Doing(work_until_idle)
    winner.blocked(1.0)
    turn.go()
    slow.done()
    winner.done()
    assert finished(run_id).state == "succeeded"
    assert set(Run.objects.filter(parent_step=step.pk).values_list("state", flat=True)) == {"cancelled"}
    assert_sound(run_id)


def test_what_a_listen_remembers_for_any_number_of_events_does_not_grow_with_them() -> None:
    run_id = begun("""
do:
  - hear:
      listen: {to: {any: [{with: {type: paid}}], until: "${ length == 100 }"}}
""")
    work_until_idle()
    for number in range(5):
        send(number=number)
        work_until_idle()
    frame = Branch.objects.get(run=run_id).cursor["frames"][-1]
    assert (len(frame["got"]), frame["met"]) == (5, [])


def test_a_listen_that_its_body_ends_is_over_before_what_follows_it() -> None:
    run_id = begun("""
do:
  - hear:
      listen: {to: {one: {with: {type: paid}}}}
      foreach: {do: [{ask: {call: approval, with: {title: "Ok?"}}}]}
  - rest: {call: approval, with: {title: "Ok?"}}
""")
    work_until_idle()
    send()
    work_until_idle()
    operations.skip(run_id, Step.objects.get(run=run_id, name="ask").key, "ok", **WHY)
    work_until_idle()
    assert Step.objects.get(run=run_id, name="rest").state == "waiting"
    assert Step.objects.get(run=run_id, name="hear").state == "cancelled"  # it hears no more
    assert not Subscription.objects.exists()


def test_a_child_whose_first_step_kills_its_workers_is_told_to_its_parent(settings: Any) -> None:
    publish("child", "do: [{both: {fork: {branches: [{a: {wait: {hours: 1}}}, {b: {wait: {hours: 1}}}]}}}]")
    run_id = begun("do: [{sub: {run: {workflow: {namespace: tests, name: child, version: 1.0.0}}}}]")
    work_on("sub").done()
    work_on("sub").done()
    child = Run.objects.get(parent_step__isnull=False)
    Step.objects.filter(run=child).update(crashes=settings.MAX_CRASHES + 1)
    work_until_idle()
    assert state(child.pk) == "failed"
    assert state(run_id) == "failed"


def test_the_outputs_of_branches_together_are_no_larger_than_a_value_may_be() -> None:
    run_id = begun("""
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


def test_a_time_limit_of_attempts_that_faults_when_it_is_needed_again_parks_the_run() -> None:
    run_id = begun("""
do:
  - guarded:
      try:
        - bad: {raise: {error: {type: "urn:x", status: 500}}, export: {as: "${ . }"}}
      catch:
        retry:
          limit: {attempt: {count: 3, duration: '${ if $context.n then "PT1S" else "soon" end }'}}
""")
    work_until_idle()
    assert state(run_id) == "failed"
    operations.retry(run_id, **WHY)
    work_until_idle()
    assert state(run_id) == "failed"


AGAIN = """
do:
  - first: {set: {n: 1}, export: {as: "${ {ok: true} }"}}
  - guarded:
      try:
        - lose: {set: {v: 1}, export: {as: "${ {ok: false} }"}}
        - bad: {raise: {error: {type: "urn:x", status: 500}}}
      catch:
        retry:
          delay: {milliseconds: %s}
          limit: {attempt: {count: 3, duration: '${ if $context.ok then "PT9S" else "soon" end }'}}
"""


@pytest.mark.parametrize("pause", [0, 20])
def test_an_attempt_that_cannot_begin_again_parks_the_run_and_can_be_retried(pause: int) -> None:
    run_id = begun(AGAIN % pause)
    work_until_idle()
    assert state(run_id) == "failed"
    operations.retry(run_id, **WHY)
    work_until_idle()
    assert state(run_id) == "failed"
    assert not Step.objects.filter(run=run_id, crashes__gt=0).exists()


def parked_join() -> Any:
    """Park a run behind a fork: its fault was to be tried again, and then there was no time left for that."""
    run_id = begun("""
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
    run_id = begun(DEADLINE % then)
    work_on("guarded").done()
    turn = before_checkpoint("block", monkeypatch)
    timer = work_on("block")
    turn.reached()
    work_on("right").done()
    turn.go()
    timer.done()
    assert Run.objects.get(pk=run_id).context == {"right": 2, "late": True}


def test_a_branch_that_is_parked_keeps_what_another_exports_at_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begun("""
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
    run_id = begun("""
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


def test_a_worker_does_not_keep_all_the_large_values_that_it_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "_REMEMBERED_BYTES", 100_000)
    monkeypatch.setattr(payloads, "_digests", OrderedDict())
    values = [str(number) * 20_000 for number in range(10)]
    for value in values:
        Packer().pack(value)
    kept = [known[0] for known in payloads._digests.values()]
    assert kept == values[-4:]  # the newest ones that fit


EARLIER = {  # the key of a call, that of the same call in the latest earlier attempt, and others at its task
    "/a@3/try/0/l@0/do/0/b": ("/a@2/try/0/l@0/do/0/b", "/a@{}/try/0/l@1/do/0/b"),
    "/a@2/try/0/c@1/try/0/l@0/do/0/b": ("/a@1/try/0/c@2/try/0/l@0/do/0/b", "/a@1/try/0/c@{}/try/0/l@1/do/0/b"),
}


@pytest.mark.parametrize("key", EARLIER)
def test_a_call_of_a_long_loop_finds_its_earlier_attempt_when_the_loop_runs_again(key: str) -> None:
    run_id = begun("do: [{rest: {wait: {hours: 1}}}]")
    before, beside = EARLIER[key]
    for generation, other in enumerate((before.replace("@2", "@1"), before, *map(beside.format, range(150)))):
        step = {"key": other, "ref": "/b", "name": "b", "kind": "call", "state": "succeeded", "generation": generation}
        branch = Branch.objects.get(run=run_id)
        Step.objects.create(run_id=run_id, branch=branch, due_at=Now(), created_at=Now(), **step)
    command = CallFunction(key, "/b", "b", "test-echo", "1.0.0", None)
    job: Any = SimpleNamespace(held=SimpleNamespace(run=run_id))
    assert effects.repetition(job, command, None).generation == 1


def test_what_undoes_a_step_runs_on_the_queue_of_its_action() -> None:
    run_id = begun("""
do:
  - saga:
      try:
        - pay:
            metadata: {dotdo: {saga: true}}
            do:
              - one: {call: test-echo, with: {value: 1}, metadata: {dotdo: {undo: {call: test-far, with: {}}}}}
              - two: {call: test-echo, with: {value: 1}, metadata: {dotdo: {undo: {call: test-echo, with: {value: 2}}}}}
              - bad: {raise: {error: {type: "urn:x", status: 500}}}
      catch: {}
  - three: {call: test-echo, with: {value: 1}, metadata: {dotdo: {undo: {call: test-far, with: {}}}}}
  - rest: {wait: {hours: 1}}
""")
    work_until_idle()
    operations.undo(run_id, **WHY)
    assert finished(run_id).state == "cancelled"
    undone = Step.objects.filter(run=run_id, kind="undo", ref__gt="").order_by("id")
    assert list(undone.values_list("name", "queue")) == [("two", "default"), ("one", "far"), ("three", "far")]
    assert_sound(run_id)
