"""What could go wrong with listens and with children."""

from typing import Any

import pytest

from tests.support.documents import publish
from tests.support.engine import begin, broadcast, finished, state, work_until_idle
from tests.support.interleaving import Doing, before_checkpoint, work_on
from tests.support.soundness import assert_sound
from workflows import operations, wake
from workflows.models import Branch, Run, Step, Subscription

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}

LISTEN = """
do:
  - hear:
      listen: {to: {any: [{with: {type: paid}}], until: "${ length == 2 }"}}
      foreach: {do: [{ask: {call: approval, with: {title: "Ok?"}}}]}
  - after: {set: {heard: "${ . }"}}
"""


def test_a_listen_that_is_skipped_while_its_body_runs_is_passed_over_behind_it() -> None:
    run_id = begin(LISTEN)
    work_until_idle()
    broadcast()
    work_until_idle()
    listen, ask = (Step.objects.get(run=run_id, name=name) for name in ("hear", "ask"))
    operations.skip(run_id, listen.key, ["by hand"], **WHY)
    work_until_idle()
    operations.skip(run_id, ask.key, "ok", **WHY)
    done = finished(run_id)
    assert (done.state, done.output) == ("succeeded", {"heard": ["by hand"]})
    assert_sound(run_id)


def test_a_map_that_looks_at_its_children_when_its_branch_is_left_leaves_none_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish("child", "do: [{rest: {wait: {hours: 1}}}]")
    run_id = begin("""
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
    run_id = begin("""
do:
  - hear:
      listen: {to: {any: [{with: {type: paid}}], until: "${ length == 100 }"}}
""")
    work_until_idle()
    for number in range(5):
        broadcast(number=number)
        work_until_idle()
    frame = Branch.objects.get(run=run_id).cursor["frames"][-1]
    assert (len(frame["got"]), frame["met"]) == (5, [])


def test_a_listen_that_its_body_ends_is_over_before_what_follows_it() -> None:
    run_id = begin("""
do:
  - hear:
      listen: {to: {one: {with: {type: paid}}}}
      foreach: {do: [{ask: {call: approval, with: {title: "Ok?"}}}]}
  - rest: {call: approval, with: {title: "Ok?"}}
""")
    work_until_idle()
    broadcast()
    work_until_idle()
    operations.skip(run_id, Step.objects.get(run=run_id, name="ask").key, "ok", **WHY)
    work_until_idle()
    assert Step.objects.get(run=run_id, name="rest").state == "waiting"
    assert Step.objects.get(run=run_id, name="hear").state == "cancelled"  # it hears no more
    assert not Subscription.objects.exists()


def test_a_child_whose_first_step_kills_its_workers_is_told_to_its_parent(settings: Any) -> None:
    publish("child", "do: [{both: {fork: {branches: [{a: {wait: {hours: 1}}}, {b: {wait: {hours: 1}}}]}}}]")
    run_id = begin("do: [{sub: {run: {workflow: {namespace: tests, name: child, version: 1.0.0}}}}]")
    work_on("sub").done()
    work_on("sub").done()
    child = Run.objects.get(parent_step__isnull=False)
    Step.objects.filter(run=child).update(crashes=settings.MAX_CRASHES + 1)
    work_until_idle()
    assert state(child.pk) == "failed"
    assert state(run_id) == "failed"
