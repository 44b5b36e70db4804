"""What could go wrong where effects are undone."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import publish
from tests.support.engine import begin, finished, start_workflow, state, work_until_idle
from tests.support.interleaving import Doing, before_checkpoint, work_on
from tests.support.soundness import assert_sound
from workflows import operations
from workflows.models import Step, Undo

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}


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
    run_id = begin(COMPENSATE)
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
    run_id = begin(CUT_UNDO, {"file": str(tmp_path / "f")})
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
    run_id = begin(LATE, {"file": str(tmp_path / "f")})
    one = Doing(work_until_idle)
    turn.reached()
    work_until_idle(patience=0.5)  # it times out, and the second attempt has the effect
    turn.go()
    one.done()
    work_until_idle()
    assert Step.objects.get(run=run_id, name="leaf", key__contains="@2").state == "succeeded"
    assert not Step.objects.filter(run=run_id, kind="undo").exists()
    assert Undo.objects.get(run=run_id).state == "recorded"


def test_what_undoes_a_step_runs_on_the_queue_of_its_action() -> None:
    run_id = begin("""
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
