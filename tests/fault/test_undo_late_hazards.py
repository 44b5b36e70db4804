"""What could go wrong with effects that come too late for the undo of their run, or while it goes on."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.support.engine import begin, state, work_until_idle
from tests.support.interleaving import before_checkpoint, work_on, work_on_step
from tests.support.soundness import assert_sound
from tests.support.undoing import BOOK, undone, undos, work_to
from workflows import claim, operations
from workflows.identity import Identity
from workflows.models import Run, Step, Undo

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}
LATE = """
timeout: {after: {hours: 1}}
do:
  - first: {call: test-echo, with: {value: 1}, metadata: {dotdo: {undo: {call: test-echo, with: {value: 2}}}}}
  - guarded:
      try:
        - block:
            timeout: {after: {milliseconds: 300}}
            do:
              - leaf:
                  call: test-outside
                  with: {file: "${ $workflow.input.file }"}
                  metadata: {dotdo: {undo: %s}}
      catch: {errors: {with: {status: 408}}}
  - rest: {call: approval, with: {title: "Ok?"}}
"""


def late_undo(undo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[UUID, Step]:
    """Begin a run whose late call is to be undone, by a step that nobody has taken yet."""
    turn = before_checkpoint("leaf", monkeypatch)
    run_id = begin(LATE % undo, {"file": str(tmp_path / "effects"), "undo": str(tmp_path / "undo")})
    slow = work_on_step(work_to(run_id, "leaf", "call").pk, on=False)
    turn.reached()
    work_until_idle(patience=0.5)
    turn.go()
    slow.done()
    return run_id, Step.objects.get(run=run_id, kind="undo", name="leaf")


OUTSIDE = '{call: test-outside, with: {file: "${ $workflow.input.undo }"}}'


def test_what_undid_a_late_effect_and_what_does_so_again_are_one_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, late = late_undo(OUTSIDE, tmp_path, monkeypatch)
    turn = before_checkpoint("leaf", monkeypatch)
    sent = work_on_step(late.pk, on=False)
    turn.reached()
    worker = Step.objects.get(pk=late.pk).leased_by
    assert worker is not None
    claim.bury(worker, "dead")  # it was sent, and that is not recorded
    operations.undo(run_id, **WHY)
    work_until_idle()
    turn.go()
    sent.done()
    assert state(run_id) == "cancelled"
    lines = [line.split() for line in (tmp_path / "undo").read_text().splitlines()]
    assert len(lines) == 2
    assert len({key for key, *_ in lines}) == 1
    fences = [int(fence) for *_, fence in lines]
    assert fences[0] < fences[1]


def test_a_run_is_not_said_to_be_undone_while_a_late_effect_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, late = late_undo("{call: test-refuses}", tmp_path, monkeypatch)
    turn = before_checkpoint("leaf", monkeypatch)
    slow = work_on_step(late.pk, on=False)
    turn.reached()
    operations.undo(run_id, **WHY)
    work_until_idle()
    assert state(run_id) == "running"
    turn.go()
    slow.done()
    run = Run.objects.get(pk=run_id)
    assert (run.state, run.reason) == ("failed", "undo_failed")
    operations.skip(run_id, late.key, None, **WHY)
    work_until_idle()
    run.refresh_from_db()
    assert (run.state, run.reason) == ("cancelled", "undone")
    assert undos(run_id) == {"done"}
    assert_sound(run_id)


FAULT = "document: {dsl: 1.0.3, namespace: tests, name: undoes, version: 1.0.0, metadata: {dotdo: {onFault: undo}}}"


def undoing_on_fault(body: str, value: Any) -> UUID:
    draft = operations.draft_workflow(f"{FAULT}\n{body}", actor="user:test")
    operations.publish_workflow(draft.id, actor="user:test")
    return operations.start_workflow("undoes", value, actor="user:test", trigger="test").run_id


SEND = (
    '{call: test-outside, with: {file: "${ $workflow.input.file }"}, '
    "metadata: {dotdo: {undo: {call: test-echo, with: {value: 1}}}}}"
)
LEFT = f"""
do:
  - both:
      fork:
        branches:
          - one: {SEND}
          - two: {{do: [{{book: {BOOK}}}, {{bad: {{call: test-refuses}}}}]}}
"""


AFTER = f"""
timeout: {{after: {{milliseconds: 300}}}}
do:
  - book: {BOOK}
  - one: {SEND}
"""


def work_to_undo_on_fault(run_id: UUID) -> None:
    """Let the second branch fault, while the first one is under way."""
    work_on("two", on=False).done()
    work_on("book", on=False).done()
    work_on("bad", on=False).done()


def test_what_a_dead_worker_held_in_a_run_that_was_undone_for_its_fault_ends(tmp_path: Path) -> None:
    run_id = undoing_on_fault(LEFT, {"file": str(tmp_path / "f")})
    work_on_step(Step.objects.get(run=run_id, state="ready").pk, on=False).done()
    me = Identity()
    Step.objects.filter(run=run_id, name="one").update(due_at="2000-01-01T00:00:00Z")
    held = claim.take("default", 2, me.id, 30.0)
    assert held is not None
    assert held.name == "one"
    work_to_undo_on_fault(run_id)
    claim.bury(me.id, "dead")
    Step.objects.filter(pk=held.step).update(due_at="2100-01-01T00:00:00Z")
    work_until_idle()
    run = Run.objects.get(pk=run_id)
    assert (run.state, run.reason) == ("failed", "undone")
    assert undone(run_id) == ["book"]
    assert Step.objects.get(pk=held.step).state == "cancelled"
    assert not (tmp_path / "f").exists()


def test_an_effect_that_comes_while_its_run_is_undone_for_a_fault_is_undone_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = undoing_on_fault(LEFT, {"file": str(tmp_path / "f")})
    work_on_step(Step.objects.get(run=run_id, state="ready").pk, on=False).done()
    work_on("one", on=False).done()
    turn = before_checkpoint("one", monkeypatch)
    slow = work_on("one", on=False)
    turn.reached()
    work_to_undo_on_fault(run_id)
    work_on("undo", on=False).done()
    turn.go()
    slow.done()
    work_on("book", on=False).done()
    work_until_idle()
    run = Run.objects.get(pk=run_id)
    assert (run.state, run.reason) == ("failed", "undone")
    assert undone(run_id) == ["book", "one"]
    assert undos(run_id) == {"done"}
    assert not Step.objects.filter(run=run_id, state__in=("ready", "running", "waiting", "held")).exists()


def test_an_effect_that_comes_after_its_run_was_undone_for_a_fault_leaves_no_step_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = undoing_on_fault(AFTER, {"file": str(tmp_path / "f")})
    turn = before_checkpoint("one", monkeypatch)
    slow = work_on_step(work_to(run_id, "one", "call").pk, on=False)
    turn.reached()
    work_until_idle(patience=0.5)
    assert Run.objects.get(pk=run_id).reason == "undone"
    turn.go()
    slow.done()
    assert Step.objects.get(run=run_id, name="one").state == "cancelled"
    assert not Step.objects.filter(run=run_id, state__in=("ready", "running", "waiting", "held")).exists()


def test_a_late_effect_that_was_being_undone_when_its_run_completed_is_known_to_be_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, late = late_undo(OUTSIDE, tmp_path, monkeypatch)
    turn = before_checkpoint("leaf", monkeypatch)
    slow = work_on_step(late.pk, on=False)
    turn.reached()
    operations.skip(run_id, Step.objects.get(run=run_id, name="rest").key, None, **WHY)
    work_until_idle()
    assert state(run_id) == "succeeded"
    turn.go()
    slow.done()
    assert Undo.objects.get(run=run_id, name="leaf").state == "done"
    assert_sound(run_id)
