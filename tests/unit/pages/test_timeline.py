"""The timeline: bars from attempts, idle time folded, nothing outside the picture."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.views import timeline
from workflows.views.scale import Scale, union_seconds
from workflows.views.timeline import Asked

START = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass
class Attempt:
    number: int
    outcome: str
    started_at: datetime | None
    finished_at: datetime


@dataclass
class Step:
    id: int = 1
    name: str = "charge"
    title: str = "charge"
    kind: str = "call"
    function: str = ""
    state: str = "succeeded"
    label: str = "succeeded"
    created_at: datetime = START
    due_at: datetime = START
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: list[Attempt] = field(default_factory=list)
    key: str = ""


@dataclass
class Run:
    steps: list[Step]
    state: str = "succeeded"
    tasks: list[str] = field(default_factory=list)
    created_at: datetime = START
    finished_at: datetime | None = None

    @property
    def steps_total(self) -> int:
        return len(self.steps)


def bars(step: Step, now: float = 60, **run: Any) -> list[tuple[str, float, float]]:
    drawn = timeline.build(Run([step], **run), at(now)).rows[0].bars
    return [(each.bar.kind, each.bar.start, each.bar.end) for each in drawn]


def test_a_quiet_success_is_queued_then_one_bar() -> None:
    step = Step(started_at=at(1), finished_at=at(3))
    assert bars(step, finished_at=at(3)) == [("queued", 0, 1), ("attempt", 1, 3)]


def test_back_off_lies_between_attempts_and_before_the_next_one() -> None:
    tried = [Attempt(1, "failed", at(0), at(1)), Attempt(2, "timed_out", at(5), at(6))]
    step = Step(state="ready", due_at=at(14), attempts=tried)
    assert bars(step, now=8, state="waiting") == [
        ("attempt", 0, 1), ("backoff", 1, 5), ("attempt", 5, 6), ("backoff", 6, 14),
    ]  # fmt: skip


def test_a_running_step_ends_now_and_a_wait_is_one_hatched_bar() -> None:
    assert bars(Step(state="running", started_at=at(0)), now=7, state="running") == [("attempt", 0, 7)]
    assert bars(Step(kind="wait", state="ready"), now=9, state="waiting") == [("wait", 0, 9)]


def test_an_attempt_without_a_known_start_is_still_drawn() -> None:
    step = Step(started_at=at(0), finished_at=at(4), attempts=[Attempt(2, "succeeded", None, at(4))])
    assert bars(step, finished_at=at(4))[-1] == ("attempt", 4, 4)


def test_a_clock_that_goes_back_breaks_nothing() -> None:
    assert bars(Step(started_at=at(-3), finished_at=at(-1)), finished_at=at(0)) == [("attempt", 0, 0)]


def test_idle_days_are_folded_so_that_seconds_stay_readable() -> None:
    tried = [Attempt(1, "failed", at(0), at(5)), Attempt(2, "failed", at(86_400), at(86_405))]
    run = Run([Step(state="failed", attempts=tried, finished_at=at(86_405))], state="failed")
    folded = timeline.build(run, at(200_000))
    assert [mark.text for mark in folded.folds] == ["1 d 00 h idle"]
    assert folded.seconds == 86_405
    assert float(folded.rows[0].bars[0].width.rstrip("%")) > 30
    assert not timeline.build(run, at(200_000), Asked(fold=False)).folds


def test_a_run_without_steps_has_an_empty_timeline() -> None:
    assert timeline.build(Run([], state="pending"), at(0)).rows == []


def test_long_runs_draw_what_is_open_and_say_what_is_left_out() -> None:
    steps = [Step(id=n, started_at=at(n), finished_at=at(n + 1)) for n in range(300)]
    steps[-1] = Step(id=299, state="failed", finished_at=at(301))
    drawn = timeline.build(Run(steps, state="failed"), at(400))
    assert (len(drawn.rows), drawn.left_out) == (201, 99)


def test_a_deadline_is_a_line_that_says_when_it_is_due() -> None:
    step = Step(kind="timer", state="ready", due_at=at(3_600), key="/do/0/news#timeout")
    row = timeline.build(Run([step], state="waiting"), at(9)).rows[0]
    assert [(each.bar.kind, each.bar.start, each.bar.end) for each in row.bars] == [("deadline", 0, 9)]
    assert (row.words, row.seconds) == ("due 21 Nov, 15:00:00", None)
    late = Step(kind="timer", state="failed", due_at=at(5), finished_at=at(5), key="/do/0/news#timeout")
    assert timeline.build(Run([late], state="failed"), at(9)).rows[0].words == "passed 21 Nov, 14:00:05"


def test_branches_stand_together_below_their_fork_and_deadlines_below_what_they_limit() -> None:
    a, b = "/do/0/f/fork/branches/0/a/do", "/do/0/f/fork/branches/1/b/do"
    keys = [
        f"{b}/0/x", "/do/0/f#timeout", f"{a}/0/t@1/try/0/y", f"{a}/0/t#timeout", "/do/0/f", f"{b}/1/z",
        f"{a}/0/t@2/try/0/y", f"{a}/0/t@2#attempt", "/do/1/after", "#timeout",
    ]  # fmt: skip
    begun = [Step(id=n, key=key, kind="timer" if "#" in key else "call", state="ready") for n, key in enumerate(keys)]
    assert [row.step.key for row in timeline.build(Run(begun, state="waiting"), at(1)).rows if row.step] == [
        "/do/0/f", f"{a}/0/t@1/try/0/y", f"{a}/0/t@2/try/0/y", f"{a}/0/t@2#attempt", f"{a}/0/t#timeout",
        f"{b}/0/x", f"{b}/1/z", "/do/0/f#timeout", "/do/1/after", "#timeout",
    ]  # fmt: skip


def looped(count: int, **last: Any) -> list[Step]:
    steps = [
        Step(id=n, key=f"/do/1/lines@{n}/do/0/price", started_at=at(n), finished_at=at(n + 1)) for n in range(count)
    ]
    return [*steps[:-1], Step(**{**vars(steps[-1]), **last})]


def names(run: Run, **asked: Any) -> list[tuple[int, str]]:
    drawn = timeline.build(run, at(99), Asked(**asked))
    return [(row.depth, row.group.name if row.group else f"{row.turn} {row.name}".strip()) for row in drawn.rows]


def test_steps_stand_below_the_blocks_around_them() -> None:
    keys = ["/do/0/first", "/do/1/pay@1/try/0/charge", "/do/1/pay@c/catch/do/0/release", "/do/2/last"]
    steps = [Step(id=n, key=key, title=key.rpartition("/")[2], finished_at=at(n)) for n, key in enumerate(keys)]
    assert names(Run(steps)) == [(0, "first"), (0, "pay"), (1, "charge"), (1, "release"), (0, "last")]


def test_a_long_loop_is_one_row_with_what_went_wrong_in_it_below() -> None:
    run = Run(looped(30, state="failed", label="dead_letter"))
    folded = timeline.build(run, at(99)).rows
    assert (folded[0].count, folded[0].folded) == (30, True)
    assert names(run) == [(0, "lines"), (1, "30 charge")]
    assert len(names(run, open=("/do/1/lines",))) == 31
    assert names(run, step="3") == [(0, "lines"), (1, "4 charge"), (1, "30 charge")]


def test_only_problems_are_shown_when_asked_for_and_tasks_that_were_not_reached_otherwise() -> None:
    bad = Step(id=1, key="/do/1/bad", title="bad", state="failed", label="dead_letter", finished_at=at(2))
    run = Run([Step(key="/do/0/good", title="good"), bad], state="failed", tasks=["good", "bad", "later"])
    assert names(run) == [(0, "good"), (0, "bad"), (0, "later")]
    assert names(run, problems=True) == [(0, "bad")]
    assert timeline.not_reached(run) == ["later"]


def test_all_rows_are_drawn_when_asked_for() -> None:
    run = Run([Step(id=n, finished_at=at(n)) for n in range(300)])
    assert len(timeline.build(run, at(400), Asked(all=True)).rows) == 300


def test_active_time_counts_what_is_done_at_once_only_once() -> None:
    assert union_seconds([(0, 2), (1, 3), (10, 11)]) == 4
    waiting = Step(kind="wait", finished_at=at(50))
    tried = Step(id=2, attempts=[Attempt(1, "failed", at(0), at(2))], started_at=at(5), finished_at=at(6))
    assert timeline.active_seconds(Run([waiting, tried]), at(60)) == 3


@given(
    spans=st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e5)), max_size=30),
    end=st.floats(0.05, 1e6),
)
def test_the_axis_never_runs_backwards_and_stays_inside(spans: list[tuple[float, float]], end: float) -> None:
    busy = [(start, start + length) for start, length in spans if start + length <= end]
    scale = Scale(end, busy)
    places = [scale(end * n / 50) for n in range(51)]
    assert places == sorted(places)
    assert places[0] == pytest.approx(0)
    assert places[-1] == pytest.approx(100)
