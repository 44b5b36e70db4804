"""What could go wrong with deadlines, attempts and first tasks."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db.models.functions import Now

from tests.support.engine import begin, finished, state, work_until_idle
from tests.support.interleaving import Doing, before_checkpoint
from tests.support.soundness import assert_sound
from workflows import effects, operations
from workflows.engine.messages import CallFunction
from workflows.models import Branch, Step

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}


def test_the_timer_of_a_block_rests_when_the_run_is_parked_as_the_block_begins() -> None:
    run_id = begin("""
do:
  - guarded:
      try:
        - block: {timeout: {after: {milliseconds: 200}}, do: [{bad: {set: {v: '${ error("no") }'}}}]}
      catch: {errors: {with: {status: 408}}}
""")
    work_until_idle(patience=0.0)
    assert state(run_id) == "failed"
    assert Step.objects.get(run=run_id, kind="timer").state == "held"


def test_a_first_task_that_cannot_begin_can_be_passed_over_with_its_input() -> None:
    run_id = begin("""
input: {from: '${ error("no") }'}
do:
  - one: {set: {got: "${ . }"}}
""")
    assert finished(run_id).state == "failed"
    step = Step.objects.get(run=run_id, state="failed")
    operations.skip(run_id, step.key, 7, **WHY)
    done = finished(run_id)
    assert (done.state, done.output) == ("succeeded", {"got": 7})


def test_a_deadline_whose_block_ended_all_the_same_does_not_outlive_it() -> None:
    run_id = begin("""
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
    run_id = begin("do: [{one: {call: test-outside, with: {file: '${ .file }'}}}]", {"file": str(tmp_path / "f")})
    operations.suspend(run_id, **WHY)
    Step.objects.filter(run=run_id).update(state="ready", due_at=Now())  # as the reaper leaves it
    work_until_idle()
    assert not (tmp_path / "f").exists()
    assert Step.objects.get(run=run_id).state == "held"
    operations.resume(run_id, **WHY)
    assert finished(run_id).state == "succeeded"


def test_a_run_that_is_resumed_while_a_step_runs_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin("do: [{one: {timeout: {after: {hours: 1}}, do: [{two: {call: test-echo, with: {value: 1}}}]}}]")
    turn = before_checkpoint("two", monkeypatch)
    worker = Doing(work_until_idle)
    turn.reached()
    operations.suspend(run_id, **WHY)
    operations.resume(run_id, **WHY)
    assert state(run_id) == "running"
    turn.go()
    worker.done()
    assert finished(run_id).state == "succeeded"


def test_a_time_limit_of_attempts_that_faults_when_it_is_needed_again_parks_the_run() -> None:
    run_id = begin("""
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
    run_id = begin(AGAIN % pause)
    work_until_idle()
    assert state(run_id) == "failed"
    operations.retry(run_id, **WHY)
    work_until_idle()
    assert state(run_id) == "failed"
    assert not Step.objects.filter(run=run_id, crashes__gt=0).exists()


EARLIER = {  # the key of a call, that of the same call in the latest earlier attempt, and others at its task
    "/a@3/try/0/l@0/do/0/b": ("/a@2/try/0/l@0/do/0/b", "/a@{}/try/0/l@1/do/0/b"),
    "/a@2/try/0/c@1/try/0/l@0/do/0/b": ("/a@1/try/0/c@2/try/0/l@0/do/0/b", "/a@1/try/0/c@{}/try/0/l@1/do/0/b"),
}


@pytest.mark.parametrize("key", EARLIER)
def test_a_call_of_a_long_loop_finds_its_earlier_attempt_when_the_loop_runs_again(key: str) -> None:
    run_id = begin("do: [{rest: {wait: {hours: 1}}}]")
    before, beside = EARLIER[key]
    for generation, other in enumerate((before.replace("@2", "@1"), before, *map(beside.format, range(150)))):
        step = {"key": other, "ref": "/b", "name": "b", "kind": "call", "state": "succeeded", "generation": generation}
        branch = Branch.objects.get(run=run_id)
        Step.objects.create(run_id=run_id, branch=branch, due_at=Now(), created_at=Now(), **step)
    command = CallFunction(key, "/b", "b", "test-echo", "1.0.0", None)
    job: Any = SimpleNamespace(held=SimpleNamespace(run=run_id))
    assert effects.repetition(job, command, None).generation == 1
