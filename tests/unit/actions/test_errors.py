import pytest

from actions.errors import ActionError, from_exception, from_result


class HTTPGatewayTimeout(Exception):
    pass


def test_a_named_error_is_final_and_definite_unless_it_says_otherwise() -> None:
    failure = from_exception(ActionError("card_declined", "no funds"))
    assert (failure.code, failure.retryable, failure.definite) == ("card_declined", False, True)


def test_asking_for_a_later_try_makes_an_error_retryable() -> None:
    failure = from_exception(ActionError("busy", retry_after=7))
    assert (failure.retryable, failure.retry_after, failure.definite) == (True, 7, False)


def test_an_unexpected_exception_may_be_tried_again_and_its_outcome_is_unknown() -> None:
    failure = from_exception(HTTPGatewayTimeout("late"))
    assert (failure.code, failure.retryable, failure.definite) == ("http_gateway_timeout", True, False)
    assert "HTTPGatewayTimeout: late" in failure.traceback


@pytest.mark.parametrize("code", ["", "Bad", "two words", "1st", "x" * 65])
def test_an_error_code_that_is_no_code_is_refused_where_it_is_raised(code: str) -> None:
    with pytest.raises(ValueError, match="not an error code"):
        ActionError(code)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            {"success": False, "error": "rate_limited", "message": "slow", "retryable": True},
            ("rate_limited", True, False),
        ),
        ({"success": False, "error": "gone", "message": "no"}, ("gone", False, True)),
        ({"success": False, "error": "Not A Code"}, ("action_failed", False, True)),
        ({"success": False, "retry_after": 3}, ("action_failed", True, False)),
    ],
)
def test_a_structured_result_that_says_no_is_a_failure(result: dict[str, object], expected: tuple[object, ...]) -> None:
    failure = from_result(result)
    assert failure is not None
    assert (failure.code, failure.retryable, failure.definite) == expected


@pytest.mark.parametrize("result", [{"success": True}, {}, {"success": 0}, {"success": None}, {"success": "false"}])
def test_only_an_explicit_false_is_a_failure(result: dict[str, object]) -> None:
    assert from_result(result) is None


def test_what_the_database_cannot_store_does_not_reach_a_message() -> None:
    failure = from_exception(RuntimeError("a\x00b\ud800c"))
    failure.as_dict()["message"].encode()
    assert "\x00" not in failure.message


def test_a_huge_message_is_cut_and_says_so() -> None:
    failure = from_exception(RuntimeError("x" * 100_000))
    assert len(failure.message) < 2_100
    assert "characters cut" in failure.message


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1])
def test_a_wait_that_is_no_number_of_seconds_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="retry_after"):
        ActionError("busy", retry_after=seconds)
    failure = from_result({"success": False, "error": "busy", "retry_after": seconds})
    assert failure is not None
    assert failure.retry_after is None
