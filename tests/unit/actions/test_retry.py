from typing import Any

import pytest

from actions.errors import Failure
from actions.retry import GiveUp, Retry, RetryIn, decide

BROKEN = Failure("broken", "it broke", retryable=True)


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [("constant", [2, 2, 2, 2]), ("linear", [2, 4, 6, 8]), ("exponential", [2, 4, 8, 10])],
)
def test_waits_grow_as_the_policy_says_and_stop_at_its_cap(backoff: str, waits: list[float]) -> None:
    policy = Retry(max_attempts=100, backoff=backoff, initial="2s", max="10s", jitter=0)
    assert [decide(policy, failures, BROKEN, 0.9) for failures in (1, 2, 3, 4)] == [RetryIn(wait) for wait in waits]


def test_jitter_only_shortens_so_the_cap_holds() -> None:
    policy = Retry(initial="10s", max="10s", jitter=0.5)
    waits = [decide(policy, 1, BROKEN, random / 10) for random in range(10)]
    assert all(isinstance(wait, RetryIn) and 5 < wait.seconds <= 10 for wait in waits)
    assert len(set(waits)) == 10


def test_the_last_attempt_is_the_last() -> None:
    policy = Retry(max_attempts=3)
    assert isinstance(decide(policy, 2, BROKEN, 0), RetryIn)
    assert decide(policy, 3, BROKEN, 0) == GiveUp("attempts_exhausted")
    assert decide(Retry(max_attempts=1), 1, BROKEN, 0) == GiveUp("attempts_exhausted")


def test_a_final_failure_is_not_tried_again_whatever_is_left() -> None:
    assert decide(Retry(), 1, Failure("no", "no", retryable=False), 0) == GiveUp("not_retryable")
    assert decide(Retry(non_retryable=("broken",)), 1, BROKEN, 0) == GiveUp("non_retryable_code")


def test_a_receiver_that_asks_for_a_pause_gets_it_up_to_a_day() -> None:
    policy = Retry(initial="1s", max="2s", jitter=0)
    assert decide(policy, 1, Failure("busy", "", True, retry_after=60), 0) == RetryIn(60)
    assert decide(policy, 1, Failure("busy", "", True, retry_after=0.1), 0) == RetryIn(1)
    assert decide(policy, 1, Failure("busy", "", True, retry_after=10**9), 0) == RetryIn(86_400)


def test_a_thousand_failures_do_not_overflow() -> None:
    assert decide(Retry(max_attempts=100, jitter=0), 99, BROKEN, 0) == RetryIn(300)


@pytest.mark.parametrize(
    "value",
    [
        {"max_attempt": 3},
        {"max_attempts": 0},
        {"max_attempts": 101},
        {"max_attempts": True},
        {"max_attempts": 2.5},
        {"backoff": "fibonacci"},
        {"initial": "soon"},
        {"initial": "10m", "max": "1m"},
        {"max": "2d"},
        {"jitter": 1.1},
        {"jitter": "0.5"},
        {"non_retryable": "code"},
        {"non_retryable": ["Not A Code"]},
        {"non_retryable": [5]},
    ],
)
def test_a_policy_that_means_nothing_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="retry"):
        Retry.from_dict(value)


def test_a_policy_survives_being_stored() -> None:
    policy = Retry(max_attempts=7, backoff="linear", initial=90, max="PT1H", jitter=0, non_retryable=("a", "b"))
    assert Retry.from_dict(policy.as_dict()) == policy
    assert policy.as_dict()["initial"] == "90s"


def test_two_ways_to_write_one_policy_are_one_contract() -> None:
    assert Retry(initial="60s", max="300s").as_dict() == Retry(initial="1m", max="PT5M").as_dict()
