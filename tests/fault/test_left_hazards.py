"""A scope that is left while a step of it starts something: a run, a call, one child more of a map."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import publish
from tests.support.engine import begin, state, work_until_idle
from tests.support.interleaving import Doing, after_checkpoint, before_checkpoint, work_on, work_on_step
from tests.support.soundness import assert_sound
from workflows import claim, operations
from workflows.identity import Identity
from workflows.models import Attempt, Run, Step

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}
ASK = 'do: [{ask: {call: approval, with: {title: "Ok?"}}}]'
LEFT = """
do:
  - guarded:
      try:
        - block:
            timeout: {{after: {{milliseconds: 300}}}}
            do:
              - first: {{call: test-echo, with: {{value: 1}}}}
              - leaf: {leaf}
      catch: {{errors: {{with: {{status: 408}}}}}}
  - rest: {{call: approval, with: {{title: "Ok?"}}}}
"""
STARTS = {
    "run": "{run: {workflow: {namespace: tests, name: child, version: latest, input: {}}}}",
    "map": "{call: map, with: {items: [1, 2], workflow: {name: child}}}",
    "approval": '{call: approval, with: {title: "Ok?"}}',
    "back-off": "{call: test-refuses, with: {retryable: true}}",
}


def to_leaf(run_id: uuid.UUID) -> None:
    """Work until the leaf is the next step."""
    for _ in range(5):
        step = Step.objects.filter(run=run_id, state="ready").exclude(kind="timer").get()
        if step.name == "leaf":
            return
        work_on_step(step.pk, on=False).done()
    raise AssertionError("it never came to the leaf")


@pytest.mark.parametrize("leaf", STARTS.values(), ids=STARTS.keys())
def test_a_step_that_begins_to_wait_in_a_scope_that_was_left_leaves_nothing_open(
    leaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("child", ASK)
    run_id = begin(LEFT.format(leaf=leaf))
    to_leaf(run_id)
    turn = before_checkpoint("leaf", monkeypatch)
    doing = work_on("leaf", on=False)
    turn.reached()
    time.sleep(0.4)
    work_on("block", on=False).done()  # its timeout
    turn.go()
    doing.done()
    work_until_idle()
    assert not Step.objects.filter(run=run_id, name="leaf", state__in=("waiting", "ready", "held")).exists()
    assert not Run.objects.filter(parent_step__isnull=False, finished_at=None).exists()
    assert_sound(run_id)


def test_a_child_that_a_map_starts_while_the_run_is_cancelled_is_cancelled_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish("child", ASK)
    run_id = begin("do: [{each: {call: map, with: {items: [1, 2], maxConcurrency: 1, workflow: {name: child}}}}]")
    work_until_idle()
    first = Run.objects.get(parent_step__isnull=False)
    operations.skip(first.pk, Step.objects.get(run=first, name="ask").key, {}, **WHY)
    work_on("ask").done()
    turn = after_checkpoint("each", monkeypatch)
    doing = work_on("each")
    turn.reached()
    cancelling = Doing(lambda: operations.cancel(run_id, **WHY))
    assert cancelling.blocked(), "the second child is there, and its COMMIT is under way"
    turn.go()
    doing.done()
    cancelling.done()
    assert state(run_id) == "cancelled"
    assert not Run.objects.filter(finished_at=None).exists()


def test_a_call_whose_scope_was_left_while_its_worker_was_dead_is_not_made_again(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    run_id = begin(
        LEFT.format(leaf='{call: test-outside, with: {file: "${ $workflow.input.file }"}}'), {"file": str(file)}
    )
    to_leaf(run_id)
    me = Identity()
    held = claim.take("default", 2, me.id, 30.0)
    assert held is not None
    assert held.name == "leaf"
    time.sleep(0.4)
    work_until_idle()
    claim.bury(me.id, "dead")
    work_until_idle()
    assert not file.exists()
    assert Step.objects.get(run=run_id, name="leaf").state == "cancelled"
    assert (
        Attempt.objects.filter(step__run=run_id, step__name="leaf").values_list("outcome", flat=True).get() == "crashed"
    )
    assert_sound(run_id)
