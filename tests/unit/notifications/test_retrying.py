"""The schedule of attempts, without a clock."""

import pytest

from workflows.notifications import retrying
from workflows.notifications.retrying import next_wait

HOURS = 3_600.0


def test_the_waits_are_those_of_the_specification() -> None:
    waits = [next_wait(attempts, None, 0.0) for attempts in range(1, 11)]
    assert waits == [
        5.0, 300.0, 1_800.0, 2 * HOURS, 5 * HOURS, 10 * HOURS, 14 * HOURS, 20 * HOURS, 24 * HOURS, None,
    ]  # fmt: skip


def test_jitter_only_makes_a_wait_longer_and_by_a_tenth_at_most() -> None:
    for attempts in range(1, retrying.MAX_ATTEMPTS):
        least, most = next_wait(attempts, None, 0.0), next_wait(attempts, None, 1.0)
        assert least is not None
        assert most is not None
        assert least < most <= least * 1.1 + 1e-6


@pytest.mark.parametrize(
    ("asked", "expected"), [(None, 5.0), (0.0, 5.0), (1.0, 5.0), (120.0, 120.0), (10 * 24 * HOURS, 24 * HOURS)]
)
def test_the_receiver_may_ask_for_a_longer_wait_up_to_a_day(asked: float | None, expected: float) -> None:
    assert next_wait(1, asked, 0.0) == expected


def test_after_the_last_attempt_there_is_no_other_whatever_the_receiver_asks_for() -> None:
    assert next_wait(retrying.MAX_ATTEMPTS, 60.0, 0.5) is None
