"""Durations of the language: an object of units or an ISO 8601 text, without years and months (R35).

A year or a month has no fixed length, so `P1M` would mean something else in February; both are refused.
"""

import json
import re
from datetime import timedelta
from typing import Any

LONGEST_WAIT = timedelta(days=366)
SHORTEST = timedelta(milliseconds=1)
UNITS = ("days", "hours", "minutes", "seconds", "milliseconds")
ISO = re.compile(
    r"P(?:(?P<weeks>[0-9]+)W)?(?:(?P<days>[0-9]+)D)?"
    r"(?P<time>T(?:(?P<hours>[0-9]+)H)?(?:(?P<minutes>[0-9]+)M)?(?:(?P<seconds>[0-9]+(?:[.,][0-9]+)?)S)?)?"
)
CALENDAR = re.compile(r"P[0-9.,]*[0-9][YM]|P[0-9.,]*Y[0-9.,]*M")


class DurationError(ValueError):
    """Not a duration; the text says what to write instead."""


def parse(value: Any) -> timedelta:
    """Return the duration of `{"minutes": 5}` or `PT5M`. Raises DurationError."""
    try:
        if isinstance(value, str):
            return _iso(value)
        if isinstance(value, dict):
            return _units(value)
    except OverflowError:
        raise DurationError("the duration is too long") from None
    raise DurationError(f"a duration is an object such as {{minutes: 5}} or a text such as PT5M, not {_kind(value)}")


def parse_wait(value: Any) -> timedelta:
    """Return the duration of a wait. Raises DurationError also when it is longer than `LONGEST_WAIT`."""
    duration = parse(value)
    if duration > LONGEST_WAIT:
        raise DurationError(f"a wait may last {LONGEST_WAIT.days} days at most, not {duration.days}")
    return duration


def _units(value: dict[str, Any]) -> timedelta:
    if not value:
        raise DurationError("a duration needs at least one of: " + ", ".join(UNITS))
    for unit, amount in value.items():
        if unit not in UNITS:
            raise DurationError(f"`{unit}` is not a unit; use " + ", ".join(UNITS))
        if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
            raise DurationError(f"`{unit}` must be a whole number, 0 or more, not {_shown(amount)}")
    return timedelta(**value)


def _iso(text: str) -> timedelta:
    if CALENDAR.match(text):
        raise DurationError(f"`{text[:40]}`: years and months have no fixed length; write days, such as P30D")
    found = ISO.fullmatch(text) if len(text) <= 100 else None
    parts = {unit: amount for unit, amount in found.groupdict().items() if amount} if found else {}
    clock = parts.pop("time", "")
    if not parts or clock == "T":
        raise DurationError(f"`{text[:40]}` is not an ISO 8601 duration such as PT5M, PT1H30M or P2D")
    return timedelta(**{unit: float(amount.replace(",", ".")) for unit, amount in parts.items()})


def _shown(amount: Any) -> str:
    return json.dumps(amount)[:40] if isinstance(amount, str | int | float) else _kind(amount)


def _kind(value: Any) -> str:
    return {bool: "a boolean", int: "a number", float: "a number", list: "an array", type(None): "null"}.get(
        type(value), type(value).__name__
    )
