"""What a block's end brings with it: timers, cut leaves, compensations; messages that come too late or too early."""

from datetime import timedelta

import pytest

from tests.unit.engine.test_advance import NOW, Play, output
from workflows.engine.advance import Busy, Stale
from workflows.engine.messages import (
    BranchDone,
    CallFunction,
    Complete,
    Continue,
    Done,
    Failed,
    GoOn,
    Listening,
    OpenFork,
    Park,
    Received,
    SetTimer,
    Skip,
    TimedOut,
    Undo,
)

ERROR = {"type": "https://example.com/errors/no", "status": 409, "title": "no"}
TRY = "do: [{t: {try: [{c: {call: pay}}], catch: {%s}}}]"


def test_a_failed_leaf_that_is_caught_goes_on_in_the_catch_with_the_error() -> None:
    play = Play(TRY % "do: [{n: {set: {was: '${ $error.title }'}}}]")
    assert play.start().key == "/do/0/t@1/try/0/c"
    assert play.send(Failed("/do/0/t@1/try/0/c", ERROR)) == Complete({"was": "no"})
    assert "/do/0/t caught no" in play.path


def test_a_retry_waits_and_runs_the_whole_list_again_with_the_first_input() -> None:
    play = Play(TRY % "retry: {delay: PT2S, limit: {attempt: {count: 1}}}", {"v": 1})
    play.start()
    pause = play.send(Failed("/do/0/t@1/try/0/c", ERROR))
    assert pause == SetTimer("/do/0/t@1/retry", "/do/0/t", "t", NOW + timedelta(seconds=2))
    assert play.send(Done("/do/0/t@1/retry")).key == "/do/0/t@2/try/0/c"
    parked = play.send(Failed("/do/0/t@2/try/0/c", ERROR))
    assert isinstance(parked, Park)
    assert parked.key == "/do/0/t@2/try/0/c", "a person retries the call itself"


def test_a_timer_is_armed_with_its_task_and_dropped_when_the_task_is_left() -> None:
    play = Play("do: [{a: {call: pay, timeout: {after: PT5S}}}, {b: {call: pay}}]")
    play.start()
    assert [timer.key for timer in play.last.armed] == ["/do/0/a#timeout"]
    play.send(Done("/do/0/a", 1))
    assert play.last.dropped == ["/do/0/a#timeout"]
    with pytest.raises(Stale):
        play.send(TimedOut("/do/0/a#timeout"))


def test_a_timeout_that_is_caught_around_its_task_cuts_the_leaf() -> None:
    play = Play("do: [{t: {try: [{a: {call: pay, timeout: {after: PT5S}}}], catch: {do: [{n: {set: {late: true}}}]}}}]")
    play.start()
    assert play.send(TimedOut("/do/0/t@1/try/0/a#timeout")) == Complete({"late": True})
    assert play.last.cut == ["/do/0/t@1/try/0/a"]


def test_the_timeout_of_a_try_is_not_caught_by_its_own_catch() -> None:
    play = Play("do: [{t: {timeout: {after: PT5S}, try: [{a: {call: pay}}], catch: {do: [{n: {set: {late: true}}}]}}}]")
    play.start()
    command = play.send(TimedOut("/do/0/t#timeout"))
    assert isinstance(command, Park)
    assert command.error["status"] == 408


def test_a_branch_begins_and_ends_with_a_cursor_of_its_own() -> None:
    play = Play("do: [{f: {fork: {branches: [{a: {call: pay}}, {b: {set: {v: 2}}}]}}}]", {"x": 1})
    fork = play.start()
    assert isinstance(fork, OpenFork)
    branch = Play("do: [{f: {fork: {branches: [{a: {call: pay}}, {b: {set: {v: 2}}}]}}}]", {"x": 1})
    branch.cursor = fork.branches[0].cursor
    assert branch.send(Continue()).key == "/do/0/f/fork/branches/0/a"
    assert branch.send(Done("/do/0/f/fork/branches/0/a", 7)) == BranchDone(7)
    assert play.send(Done("/do/0/f", [7, {"v": 2}])) == Complete([7, {"v": 2}])


def test_an_event_during_the_body_of_another_one_is_kept_for_later() -> None:
    play = Play(
        "do: [{l: {listen: {to: {any: [{with: {type: t}}], until: '.done'}}, foreach: {do: [{c: {call: pay}}]}}}]"
    )
    play.start()
    assert isinstance(play.send(Received("/do/0/l", {"type": "t", "data": 1})), CallFunction)
    with pytest.raises(Busy):
        play.send(Received("/do/0/l", {"type": "t", "data": 2}))


def test_an_event_that_no_filter_takes_is_passed_over() -> None:
    play = Play("do: [{l: {listen: {to: {one: {with: {type: t}}}}}}]")
    play.start()
    assert play.send(Received("/do/0/l", {"type": "other"})) == Listening("/do/0/l", "/do/0/l", "l", taken=False)
    assert play.send(Received("/do/0/l", {"type": "t", "data": 5})) == Complete([5])


SAGA = """
do:
  - t:
      metadata: {dotdo: {saga: true}}
      try:
        - charge: {call: pay, metadata: {dotdo: {undo: {call: pay, with: {id: "${ $output.id }"}}}}}
        - ship: {call: pay}
      catch: {do: [{n: {set: {undone: true}}}]}
"""


def test_a_saga_is_undone_before_its_catch_goes_on() -> None:
    play = Play(SAGA)
    play.start()
    play.send(Done("/do/0/t@1/try/0/charge", {"id": 9}))
    (push,) = play.last.undo
    assert (push.place, push.input) == ("/do/0/t/try/0/charge", {"id": 9})
    assert play.send(Failed("/do/0/t@1/try/1/ship", ERROR)) == Undo("/do/0/t@u", "/do/0/t", "t", "/do/0/t")
    assert play.send(Done("/do/0/t@u", {"undone": 1})) == Complete({"undone": True})


def test_a_deadline_waits_while_something_is_undone() -> None:
    play = Play(
        SAGA.replace("metadata: {dotdo: {saga: true}}", "timeout: {after: PT1H}\n      metadata: {dotdo: {saga: true}}")
    )
    play.start()
    play.send(Done("/do/0/t@1/try/0/charge", {"id": 9}))
    play.send(Failed("/do/0/t@1/try/1/ship", ERROR))
    with pytest.raises(Busy):
        play.send(TimedOut("/do/0/t#timeout"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            "do: [{a: {set: {x: '${ .nope.nope | bad }'}}}, {b: {set: {got: '${ .by }'}}}]",
            {"got": "hand"},
            id="entering",
        ),
        pytest.param(
            "do: [{a: {set: {x: 1}, output: {as: '.x | bad'}}}, {b: {set: {got: '${ .by }'}}}]",
            {"got": "hand"},
            id="leaving",
        ),
        pytest.param("do: [{a: {set: {x: 1}}}]\noutput: {as: '.x | bad'}", {"by": "hand"}, id="the end"),
    ],
)
def test_a_task_that_faulted_is_passed_over_with_an_output_given_by_hand(body: str, expected: object) -> None:
    play = Play(body)
    assert isinstance(play.start(), Park)
    assert play.send(Skip({"by": "hand"})) == Complete(expected)


def test_tries_that_catch_for_ever_stop_at_the_budget() -> None:
    play = Play("do: [{t: {try: [{r: {raise: {error: {type: x, status: 500}}}}], catch: {}, then: t}}]")
    assert isinstance(play.start(), GoOn)


def test_a_loop_carries_its_output_from_one_iteration_to_the_next() -> None:
    body = "do: [{l: {for: {in: .xs, each: x}, while: $x, do: [{s: {set: {xs: '${ .xs }', last: '${ $x }'}}}]}}]"
    assert output(body, {"xs": [1, 2, False, 3]}) == {"xs": [1, 2, False, 3], "last": 2}
