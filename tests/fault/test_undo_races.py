"""What could go wrong where effects are undone while others complete, begin, end or stop something."""

from typing import Any
from uuid import UUID

import pytest

from tests.support.engine import begin, state, work_until_idle
from tests.support.interleaving import before_checkpoint, work_on, work_on_step
from tests.support.soundness import assert_sound
from tests.support.undoing import BOOK, undone, undos, work_to
from workflows import operations
from workflows.models import Run, Step

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}
FORK = """
do:
  - outer:
      try:
        - pay:
            metadata: {dotdo: {saga: true}}
            do:
              - both:
                  fork:
                    branches:
                      - one: %s
                      - two: {raise: {error: {type: "urn:x", status: 500}}}
      catch: {do: [{caught: {set: {caught: true}}}]}
"""
REST = '{rest: {call: approval, with: {title: "Ok?"}}}'
COMPLETES = f"{{do: [{{book: {BOOK}}}, {REST}]}}"
FAULTS = f"{{do: [{{book: {BOOK}}}, {REST}, {{bad: {{raise: {{error: {{type: 'urn:y', status: 501}}}}}}}}], %s}}"
UNDOES = f"{{try: [{{inner: {FAULTS % 'metadata: {dotdo: {saga: true}}'}}}], catch: {{}}}}"
SAGA = f"""
do:
  - zero: {BOOK}
  - saga:
      try:
        - pay:
            metadata: {{dotdo: {{saga: true}}}}
            do:
              - one: {BOOK}
              - two: {BOOK}
              - bad: {{raise: {{error: {{type: "urn:x", status: 500}}}}}}
      catch: {{}}
"""


def test_what_a_branch_completes_while_its_fork_is_left_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(FORK % COMPLETES)
    work_on_step(Step.objects.get(run=run_id, state="ready").pk, on=False).done()
    work_on("two", on=False).done()
    turn = before_checkpoint("both", monkeypatch)
    joining = work_on("both")
    turn.reached()
    work_on("one").done()
    turn.go()
    joining.done()
    work_until_idle()
    assert state(run_id) == "succeeded"
    assert undos(run_id) == {"done"}
    assert_sound(run_id)


def test_what_a_branch_begins_to_undo_while_its_fork_is_left_is_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(FORK % UNDOES)
    work_on_step(Step.objects.get(run=run_id, state="ready").pk, on=False).done()
    work_on("one").done()
    rest = Step.objects.get(run=run_id, name="rest")
    operations.skip(run_id, rest.key, None, **WHY)
    work_on("two", on=False).done()
    turn = before_checkpoint("both", monkeypatch)
    joining = work_on("both")
    turn.reached()
    work_on("rest", on=False).done()
    turn.go()
    joining.done()
    work_until_idle()
    assert state(run_id) == "succeeded"
    assert undos(run_id) == {"done"}
    assert undone(run_id) == ["book"]
    assert_sound(run_id)


def test_a_run_that_is_suspended_while_it_undoes_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(SAGA)
    step = work_to(run_id, "two", "undo")
    turn = before_checkpoint("two", monkeypatch)
    doing = work_on_step(step.pk)
    turn.reached()
    operations.suspend(run_id, **WHY)
    turn.go()
    doing.done()
    assert state(run_id) == "suspended"
    operations.resume(run_id, **WHY)
    work_until_idle()
    assert state(run_id) == "succeeded"
    assert undone(run_id) == ["two", "one"]


def test_a_run_is_not_undone_twice_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(SAGA)
    step = work_to(run_id, "two", "undo")
    turn = before_checkpoint("two", monkeypatch)
    doing = work_on_step(step.pk, on=False)
    turn.reached()
    operations.undo(run_id, **WHY)
    work_on("undo").done()
    assert Step.objects.filter(run=run_id, kind="undo", state__in=("ready", "running")).count() == 1
    turn.go()
    doing.done()
    work_until_idle()
    run = Run.objects.get(pk=run_id)
    assert (run.state, run.reason) == ("cancelled", "undone")
    assert undone(run_id) == ["two", "one", "zero"]
    assert undos(run_id) == {"done"}
    assert_sound(run_id)


def test_the_undo_of_a_run_goes_on_behind_one_that_ended_before_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(SAGA)
    step = work_to(run_id, "two", "undo")
    turn = before_checkpoint("two", monkeypatch)
    doing = work_on_step(step.pk, on=False)
    turn.reached()
    operations.undo(run_id, **WHY)
    turn.go()
    doing.done()
    work_until_idle()
    assert state(run_id) == "cancelled"
    assert undone(run_id) == ["two", "one", "zero"]
    assert_sound(run_id)


LOOP = f"""
do:
  - one: {BOOK}
  - each: {{for: {{in: "${{ [range(3000)] }}"}}, do: [{{x: {{set: {{a: 1}}}}}}]}}
"""
BAD = f"""
do:
  - one: {BOOK}
  - bad: {{raise: {{error: {{type: "urn:x", status: 500}}}}}}
"""


def test_a_run_that_is_undone_while_a_task_goes_on_does_not_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(LOOP)
    work_on_step(Step.objects.get(run=run_id, state="ready").pk, on=False).done()
    while (step := Step.objects.get(run=run_id, state="ready")).kind != "task":
        work_on_step(step.pk, on=False).done()
    _undo_while_it_runs(run_id, step, monkeypatch)


@pytest.mark.parametrize("how", ["retry", "skip"])
def test_a_run_that_is_undone_while_a_fault_is_repaired_does_not_begin_again(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begin(BAD)
    work_until_idle()
    failed = Step.objects.get(run=run_id, state="failed")
    if how == "retry":
        operations.retry(run_id, **WHY)
    else:
        operations.skip(run_id, failed.key, {}, **WHY)
    _undo_while_it_runs(run_id, failed, monkeypatch)


def _undo_while_it_runs(run_id: UUID, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = before_checkpoint(step.name, monkeypatch)
    doing = work_on_step(step.pk, on=False)
    turn.reached()
    operations.undo(run_id, **WHY)
    turn.go()
    doing.done()
    work_until_idle()
    assert state(run_id) == "cancelled"
    assert undone(run_id) == ["one"]
    assert_sound(run_id)
