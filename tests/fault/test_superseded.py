"""A call that has its effect although its scope was left while it ran: kept, and undone while the run goes on."""

from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from tests.support.documents import publish
from tests.support.engine import start_workflow, state, work_until_idle
from tests.support.interleaving import Doing, before_checkpoint, work_on
from tests.support.soundness import assert_sound
from workflows import operations
from workflows.models import Attempt, Step, Undo

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}

LATE = """
do:
  - guarded:
      try:
        - block:
            timeout: {after: {milliseconds: 600}}
            do:
              - leaf:
                  call: test-outside
                  with: {file: "${ .file }"}
                  metadata: {dotdo: {undo: {call: test-echo, with: {value: "${ $output.attempt }"}}}}
      catch: {errors: {with: {status: 408}}, do: [{rest: {wait: {seconds: 2}}}, {late: {set: {late: true}}}]}
"""


def test_an_effect_whose_scope_timed_out_is_kept_and_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish("late", LATE)
    turn = before_checkpoint("leaf", monkeypatch)
    run_id = start_workflow("late", {"file": str(tmp_path / "effects")})
    slow = Doing(work_until_idle)
    turn.reached()
    work_until_idle(patience=0.8)  # the timer rings, its fault is caught
    turn.go()
    slow.done()
    work_until_idle(patience=3.0)
    assert_sound(run_id)
    leaf = Step.objects.get(run=run_id, name="leaf", kind="call")
    assert leaf.state == "cancelled"
    assert [a.outcome for a in Attempt.objects.filter(step=leaf)] == ["superseded"]
    undo = Step.objects.get(run=run_id, kind="undo")
    assert (undo.state, undo.output) == ("succeeded", 1)
    assert Undo.objects.get(run=run_id).state == "done"


def late_undo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Begin a run whose late call is to be undone, by a step that nobody has taken yet."""
    publish("late", LATE.replace("wait: {seconds: 2}", 'call: approval, with: {title: "Ok?"}'))
    turn = before_checkpoint("leaf", monkeypatch)
    run_id = start_workflow("late", {"file": str(tmp_path / "effects")})
    work_on("guarded", on=False).done()
    slow = work_on("leaf", on=False)
    turn.reached()
    work_until_idle(patience=0.8)
    turn.go()
    slow.done()
    assert Step.objects.get(run=run_id, kind="undo").state == "ready"
    return run_id


@pytest.mark.parametrize("end", ["succeeded", "cancelled", "undone"])
def test_what_was_to_undo_a_late_effect_is_recorded_again_where_its_run_ends_first(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = late_undo(tmp_path, monkeypatch)
    if end == "succeeded":
        rest = Step.objects.get(run=run_id, name="rest")
        Step.objects.filter(run=run_id, kind="undo").update(due_at="2100-01-01T00:00:00Z")
        operations.skip(run_id, rest.key, None, **WHY)
        work_until_idle()
        Step.objects.filter(run=run_id, kind="undo", state="ready").update(due_at=Now())
    elif end == "cancelled":
        operations.cancel(run_id, **WHY)
    else:
        operations.undo(run_id, **WHY)
    work_until_idle()
    assert state(run_id) == ("succeeded" if end == "succeeded" else "cancelled")
    assert Undo.objects.get(run=run_id).state == ("done" if end == "undone" else "recorded")
    assert_sound(run_id)
