"""A call that has its effect although its scope was left while it ran: kept, and undone while the run goes on."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from tests.support.interleaving import Doing, before_checkpoint, let_all_go
from tests.support.soundness import assert_sound
from workflows.models import Attempt, Step, Undo

pytestmark = pytest.mark.usefixtures("handlers")

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


@pytest.fixture(autouse=True)
def _nobody_waits_for_ever() -> Any:
    yield
    let_all_go()


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
