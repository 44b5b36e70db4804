"""Errors that a document raises, and the policies by which caught ones are tried again (R25, R26)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from workflows.language import durations
from workflows.language.checks.report import Report, at, check_object, check_one_of, check_text
from workflows.language.checks.values import (
    Names,
    check_duration,
    check_expression,
    check_name,
    check_template,
    is_expression,
)

OF_ERROR = ("type", "status", "title", "detail", "instance")
OF_RETRY = ("when", "exceptWhen", "delay", "backoff", "jitter", "limit")
BACKOFF = ("constant", "linear", "exponential")
MOST_RETRIES = 10_000


def check_error(report: Report, error: Any, pointer: str, variables: Names) -> None:
    """Check the definition of an error."""
    if not check_object(report, error, pointer, OF_ERROR, required=("type", "status")):
        return
    check_template(report, error, pointer, variables)
    for key in ("type", "title", "detail", "instance"):
        check_text(report, error, key, pointer)
    check_status(report, error.get("status", 400), at(pointer, "status"))


def check_status(report: Report, status: Any, pointer: str) -> None:
    """Check a status: a number, or an expression."""
    if is_expression(status):
        return
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        report.add(pointer, "`status` is wrong", found=status, expected="a number from 100 to 599, or an expression")


def check_retry(report: Report, policy: Any, pointer: str, variables: Names) -> None:
    """Check a retry policy that is written out."""
    if not check_object(report, policy, pointer, OF_RETRY):
        return
    for key in ("when", "exceptWhen"):
        if key in policy:
            check_expression(report, policy[key], at(pointer, key), variables)
    if "delay" in policy:
        check_duration(report, policy["delay"], at(pointer, "delay"), variables)
    if "backoff" in policy:
        _check_backoff(report, policy["backoff"], at(pointer, "backoff"))
    if "jitter" in policy:
        _check_jitter(report, policy["jitter"], at(pointer, "jitter"), variables)
    _check_limit(report, policy, pointer, variables)


def check_named_retry(report: Report, policy: Any, pointer: str, variables: Names) -> None:
    """Check a retry policy, written out or the name of one of `use.retries`."""
    if isinstance(policy, str):
        check_name(report, policy, pointer, "retries")
    else:
        check_retry(report, policy, pointer, variables)


def _check_backoff(report: Report, value: Any, pointer: str) -> None:
    way = check_one_of(report, value, pointer, BACKOFF)
    if way and value[way] not in ({}, None):
        report.add(at(pointer, way), "a back-off takes no parameters", found=value[way], expected="{}")


def _check_jitter(report: Report, value: Any, pointer: str, variables: Names) -> None:
    if not check_object(report, value, pointer, ("from", "to"), required=("from", "to")):
        return
    for key in ("from", "to"):
        if key in value:
            check_duration(report, value[key], at(pointer, key), variables)
    low, high = (_known(value.get(key)) for key in ("from", "to"))
    if low is not None and high is not None and low > high:
        report.add(pointer, "`from` is longer than `to`", suggestion="Exchange them.")


def _check_limit(report: Report, policy: Mapping[str, Any], pointer: str, variables: Names) -> None:
    limit, place = policy.get("limit", {}), at(pointer, "limit")
    if not check_object(report, limit, place, ("attempt", "duration")):
        return
    attempt = limit.get("attempt", {})
    if check_object(report, attempt, at(place, "attempt"), ("count", "duration")):
        _check_count(report, attempt.get("count", 1), at(at(place, "attempt"), "count"))
        if "duration" in attempt:
            shortest = durations.SHORTEST
            check_duration(report, attempt["duration"], f"{place}/attempt/duration", variables, shortest=shortest)
    if "duration" in limit:
        check_duration(report, limit["duration"], at(place, "duration"), variables, shortest=durations.SHORTEST)
    if not isinstance(attempt, dict) or "count" in attempt or not {"attempt", "duration"}.issuperset(limit):
        return
    if "duration" not in limit:
        hint = "Give it `limit: {attempt: {count: 5}}` or `limit: {duration: PT1H}`."
        report.add(pointer, "retries without a limit would never end", suggestion=hint)
    elif _known(policy.get("delay", {"seconds": 0})) == timedelta(0):
        hint = "Give it a `delay`, or `limit: {attempt: {count: 5}}`."
        report.add(pointer, "retries without a count need a delay", suggestion=hint)


def _check_count(report: Report, count: Any, pointer: str) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_RETRIES:
        expected = f"1 to {MOST_RETRIES} retries after the first attempt"
        report.add(pointer, "this is not a number of retries", found=count, expected=expected)


def _known(value: Any) -> timedelta | None:
    """Return a duration that is written out and right."""
    try:
        return durations.parse(value)
    except durations.DurationError:
        return None
