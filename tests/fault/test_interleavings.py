"""The orders that could lose or double something, each played once on purpose, through the real database."""

from typing import Any

import pytest
from django.db import transaction

from tests.support.documents import publish
from tests.support.engine import begin, shown, state, work_until_idle
from tests.support.interleaving import (
    Doing,
    after_checkpoint,
    before_checkpoint,
    before_lock,
    ended,
    work_on,
    work_on_step,
    working,
)
from tests.support.soundness import assert_sound
from workflows import operations
from workflows.models import Entry, Run, Step

pytestmark = pytest.mark.usefixtures("handlers")

ASK = """
do:
  - ask: {call: test-echo, with: {value: 1}}
  - answer: {listen: {to: {one: {with: {type: paid}}}}}
"""
TWO = """
do:
  - both:
      fork:
        branches:
          - left: {call: test-ledger, with: {name: left}, output: {as: .name}}
          - right: {call: test-ledger, with: {name: right}, output: {as: .name}}
"""
RACE = TWO.replace("fork:", "fork:\n        compete: true")
GUARDED = """
do:
  - guarded:
      try:
        - block: {timeout: {after: {hours: 1}}, do: [{leaf: {call: test-ledger, with: {name: leaf}}}]}
      catch: {errors: {with: {status: 408}}, do: [{late: {set: {late: true}}}]}
"""


MAP = """
do:
  - all: {call: map, with: {items: "${ .items }", workflow: {name: child}, maxConcurrency: 5}}
"""
CHILD = "do: [{one: {call: test-ledger, with: {name: child}, output: {as: .name}}}]"


def opened(text: str) -> Any:
    """Begin a run and let it open its fork."""
    run_id = begin(text)
    work_on("both").done()
    return run_id


def send(run_id: Any, kind: str = "paid", *, to_all: bool = False) -> None:
    subject = {} if to_all else {"subject": str(run_id)}
    event = {"specversion": "1.0", "id": kind, "source": "/tests", "type": kind, "data": 5, **subject}
    operations.deliver_event(event, actor="user:test", via="api")


def ledger() -> list[str]:
    return sorted(key.rsplit("-", 5)[0] for key in Entry.objects.values_list("key", flat=True))


def finish(run_id: Any) -> Any:
    """Work until nothing is due, and hold what came out against everything that must be true."""
    work_until_idle()
    assert_sound(run_id)
    return shown(run_id)


# --- a listen parks, an event comes -----------------------------------------------------------------------------------
def test_an_event_that_comes_while_the_step_before_its_listen_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(ASK)
    turn = before_checkpoint("ask", monkeypatch)
    worker = work_on("ask")
    turn.reached()
    send(run_id)
    turn.go()
    worker.done()
    assert finish(run_id).output == [5]


@pytest.mark.parametrize("to_all", [False, True])
def test_an_event_that_comes_when_its_listen_has_looked_and_not_yet_parked(
    monkeypatch: pytest.MonkeyPatch, to_all: bool
) -> None:
    run_id = begin(ASK)
    send(run_id, "other")  # so that the listen looks
    turn = before_checkpoint("answer", monkeypatch)
    worker = Doing(work_until_idle)
    turn.reached()
    send(run_id, to_all=to_all)
    turn.go()
    worker.done()
    assert finish(run_id).output == [5]


def test_an_event_whose_delivery_is_not_committed_when_its_listen_parks(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(ASK)
    turn = before_checkpoint("ask", monkeypatch)
    worker = work_on("ask")
    turn.reached()
    with transaction.atomic():
        send(run_id)
        turn.go()
        assert worker.blocked(), "the checkpoint that begins a listen waits for the mailbox"
    worker.done()
    assert finish(run_id).output == [5]


# --- the last branches of a fork --------------------------------------------------------------------------------------
@pytest.mark.parametrize("first", ["left", "right"])
def test_two_workers_that_finish_the_last_two_branches_at_once(monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    run_id = opened(TWO)
    second = {"left": "right", "right": "left"}[first]
    turn = after_checkpoint(first, monkeypatch)
    one = work_on(first)
    turn.reached()
    other = work_on(second)
    assert other.blocked(), "two branches that end at once wait for each other"
    turn.go()
    one.done()
    other.done()
    assert (finish(run_id).output, ledger()) == (["left", "right"], ["left", "right"])


def test_a_branch_that_is_overtaken_by_the_other_one_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(TWO)
    turn = before_checkpoint("left", monkeypatch)
    one = work_on("left")
    turn.reached()
    work_on("right").done()
    turn.go()
    one.done()
    assert (finish(run_id).output, ledger()) == (["left", "right"], ["left", "right"])


def test_the_loser_of_a_race_that_comes_too_late_leaves_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(RACE)
    turn = before_checkpoint("left", monkeypatch)
    one = work_on("left")
    turn.reached()
    work_on("right").done()
    work_on("both").done()
    assert state(run_id) == "succeeded"
    turn.go()
    one.done()
    assert (finish(run_id).output, ledger()) == ("right", ["right"])


def test_two_branches_that_win_a_race_at_once_have_one_winner(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(RACE)
    turn = after_checkpoint("left", monkeypatch)
    one = work_on("left")
    turn.reached()
    other = work_on("right")
    assert other.blocked()
    turn.go()
    one.done()
    other.done()
    assert finish(run_id).output == "left"


# --- a timeout and the leaf inside ------------------------------------------------------------------------------------
def test_a_leaf_that_is_done_when_its_block_has_timed_out_leaves_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(GUARDED)
    work_on("guarded", on=False).done()
    turn = before_checkpoint("leaf", monkeypatch)
    leaf = work_on("leaf")
    turn.reached()
    work_on("block").done()
    turn.go()
    leaf.done()
    assert (finish(run_id).output, ledger()) == ({"late": True}, [])


def test_a_timer_that_rings_when_its_block_is_done_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(GUARDED)
    work_on("guarded", on=False).done()
    turn = before_checkpoint("block", monkeypatch)
    timer = work_on("block")
    turn.reached()
    work_on("leaf").done()
    turn.go()
    timer.done()
    assert (finish(run_id).output["name"], ledger()) == ("leaf", ["leaf"])


def test_a_timer_and_its_leaf_that_are_recorded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(GUARDED)
    work_on("guarded", on=False).done()
    rings, ends = before_checkpoint("block", monkeypatch), after_checkpoint("leaf", monkeypatch)
    timer = work_on("block")
    rings.reached()
    leaf = work_on("leaf")
    ends.reached()
    rings.go()
    assert timer.blocked(), "the timer's checkpoint waits for that of the leaf"
    ends.go()
    leaf.done()
    timer.done()
    assert (finish(run_id).output["name"], ledger()) == ("leaf", ["leaf"])


# --- operators --------------------------------------------------------------------------------------------------------
def cancel(run_id: Any) -> None:
    operations.cancel(run_id, actor="user:test", reason="a test")


def test_a_run_that_is_cancelled_before_its_last_branch_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(TWO)
    work_on("left").done()
    turn = before_checkpoint("right", monkeypatch)
    right = work_on("right")
    turn.reached()
    cancel(run_id)
    turn.go()
    right.done()
    assert (finish(run_id).state, ledger()) == ("cancelled", ["left"])


def test_a_run_that_is_cancelled_while_its_last_branch_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(TWO)
    work_on("left").done()
    turn = after_checkpoint("right", monkeypatch)
    right = work_on("right")
    turn.reached()
    operator = Doing(lambda: cancel(run_id))
    assert operator.blocked()
    turn.go()
    right.done()
    operator.done()
    assert (finish(run_id).state, ledger()) == ("cancelled", ["left", "right"])


def test_a_run_that_is_cancelled_while_its_join_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(TWO)
    work_on("left").done()
    work_on("right").done()
    turn = before_checkpoint("both", monkeypatch)
    join = work_on("both")
    turn.reached()
    cancel(run_id)
    turn.go()
    join.done()
    assert finish(run_id).state == "cancelled"


def test_a_run_that_is_suspended_while_its_branches_end_goes_on_when_it_is_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = opened(TWO)
    turn = before_checkpoint("left", monkeypatch)
    left = work_on("left")
    turn.reached()
    operations.suspend(run_id, actor="user:test", reason="a test")
    turn.go()
    left.done()
    work_until_idle()
    assert (state(run_id), ledger()) == ("suspended", ["left"])
    operations.resume(run_id, actor="user:test", reason="a test")
    assert (finish(run_id).output, ledger()) == (["left", "right"], ["left", "right"])


def test_a_branch_that_ends_while_another_one_parks_the_run_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(TWO.replace("left: {call: test-ledger, with: {name: left}, output: {as: .name}}",
                                "left: {call: test-refuses}"))  # fmt: skip
    turn = before_checkpoint("right", monkeypatch)
    right = work_on("right")
    turn.reached()
    work_on("left").done()
    assert state(run_id) == "failed"
    turn.go()
    right.done()
    assert ledger() == ["right"]
    failed = Step.objects.get(run=run_id, state="failed")
    operations.skip(run_id, failed.key, {"by": "hand"}, actor="user:test", reason="a test")
    assert (finish(run_id).output, ledger()) == ([{"by": "hand"}, "right"], ["right"])


def test_the_last_step_of_a_run_that_is_suspended_while_it_runs_ends_the_run_when_it_is_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = begin("do: [{one: {call: test-ledger, with: {name: one}, output: {as: .name}}}]")
    turn = before_checkpoint("one", monkeypatch)
    one = work_on("one")
    turn.reached()
    operations.suspend(run_id, actor="user:test", reason="a test")
    turn.go()
    one.done()
    assert (state(run_id), ledger()) == ("suspended", ["one"])
    operations.resume(run_id, actor="user:test", reason="a test")
    assert (finish(run_id).output, ledger()) == ("one", ["one"])


def test_a_run_that_is_suspended_again_while_it_is_about_to_end_ends_when_it_is_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = begin("do: [{one: {call: test-ledger, with: {name: one}, output: {as: .name}}}]")
    for name in ("one", "story", "story"):  # the step, then the end that is left to do
        turn = before_checkpoint(name, monkeypatch)
        one = work_on(name)
        turn.reached()
        operations.suspend(run_id, actor="user:test", reason="a test")
        turn.go()
        one.done()
        assert (state(run_id), ledger()) == ("suspended", ["one"])
        operations.resume(run_id, actor="user:test", reason="a test")
    assert (finish(run_id).output, ledger()) == ("one", ["one"])


def test_a_branch_that_ends_a_run_which_another_one_has_parked_waits_for_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right_ends = "{right: {call: test-ledger, with: {name: right}, then: end}}"
    text = f"do: [{{both: {{fork: {{branches: [{{left: {{call: test-refuses}}}}, {right_ends}]}}}}}}]"
    run_id = opened(text)
    turn = before_checkpoint("right", monkeypatch)
    right = work_on("right")
    turn.reached()
    work_on("left").done()
    turn.go()
    right.done()
    assert (state(run_id), ledger()) == ("failed", ["right"])
    failed = Step.objects.get(run=run_id, name="left", state="failed")
    operations.skip(run_id, failed.key, {}, actor="user:test", reason="a test")
    assert (finish(run_id).state, ledger()) == ("succeeded", ["right"])


# --- children ---------------------------------------------------------------------------------------------------------
def mapped() -> Any:
    """Begin a map over two items, both children there."""
    publish("child", CHILD)
    run_id = begin(MAP, {"items": [1, 2]})
    work_on("all").done()
    return run_id


def one_child() -> Doing:
    """Let a worker of its own take one of the children that have not ended."""
    step = Step.objects.filter(name="one", state="ready").order_by("id").first()
    assert step is not None
    return work_on_step(step.pk)


def test_a_child_that_ends_while_its_parent_looks_at_its_children_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = mapped()
    one_child().done()
    turn = before_checkpoint("all", monkeypatch)
    parent = work_on("all")
    turn.reached()
    child = one_child()
    assert child.blocked(), "the end of a child waits until its parent has parked"
    turn.go()
    parent.done()
    child.done()
    assert (finish(run_id).output, ledger()) == (["child", "child"], ["child", "child"])


def test_a_parent_that_is_cancelled_while_its_child_ends_waits_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = mapped()
    turn = after_checkpoint("one", monkeypatch)
    child = one_child()
    turn.reached()
    operator = Doing(lambda: cancel(run_id))
    assert operator.blocked()
    turn.go()
    child.done()
    operator.done()
    assert finish(run_id).state == "cancelled"
    for other in Run.objects.filter(root=run_id):
        assert_sound(other.pk)


def test_a_parent_that_is_cancelled_when_its_child_is_about_to_end_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = mapped()
    turn = before_lock("one", monkeypatch)
    child = one_child()
    turn.reached()
    operator = Doing(lambda: cancel(run_id))
    operator.blocked()
    turn.go()
    child.done()
    operator.done()
    assert finish(run_id).state == "cancelled"
    for other in Run.objects.filter(root=run_id):
        assert_sound(other.pk)


# --- everything at once -----------------------------------------------------------------------------------------------
MANY = "do: [{both: {fork: {branches: [%s]}}}]"


def test_many_branches_on_many_workers_end_once_each() -> None:
    names = [f"b{number}" for number in range(40)]
    lines = ", ".join(
        f"{{{name}: {{call: test-ledger, with: {{name: {name}}}, output: {{as: .name}}}}}}" for name in names
    )
    run_id = begin(MANY % lines)
    with working(4):
        ended(run_id)
    assert (finish(run_id).output, ledger()) == (names, sorted(names))


def test_many_children_on_many_workers_end_once_each() -> None:
    publish("child", CHILD)
    run_id = begin(MAP, {"items": list(range(40))})
    with working(4):
        ended(run_id)
    assert (finish(run_id).output, ledger()) == (["child"] * 40, ["child"] * 40)
    for child in Run.objects.filter(root=run_id):
        assert_sound(child.pk)
