"""`schedule`: when the workflow starts by itself. No run exists yet, so only conditions on events are expressions."""

import re
from datetime import timedelta
from typing import Any

from workflows.language.checks.events import READ, check_strategy
from workflows.language.checks.report import Report, at, check_choice, check_one_of
from workflows.language.checks.values import NOTHING, check_duration

WAYS = ("every", "cron", "after", "on")
SHORTEST = timedelta(seconds=1)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# name, smallest, largest, words for numbers from the smallest on
FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, DAYS),
)
RANGE = re.compile(r"(?:\*|([0-9]{1,2}|[A-Za-z]{3})(?:-([0-9]{1,2}|[A-Za-z]{3}))?)(?:/([0-9]{1,2}))?")


def check_schedule(report: Report, value: Any) -> None:
    """Check a schedule: exactly one of four ways."""
    place = "/schedule"
    way = check_one_of(report, value, place, WAYS, beside=("read",))
    if way in ("every", "after"):
        check_duration(report, value[way], at(place, way), None, shortest=SHORTEST)
    elif way == "cron":
        _check_cron(report, value["cron"], at(place, "cron"))
    elif way == "on":
        check_strategy(report, value["on"], at(place, "on"), NOTHING, running=False)
    if isinstance(value, dict) and "read" in value:
        check_choice(report, value["read"], at(place, "read"), READ)
        if way not in (None, "on"):
            report.add(at(place, "read"), "`read` has an effect with `on` only", suggestion="Remove it.")


def _check_cron(report: Report, text: Any, pointer: str) -> None:
    fields = text.split() if isinstance(text, str) else []
    if len(fields) != len(FIELDS):
        expected = "minute hour day-of-month month day-of-week, such as 30 6 * * MON-FRI"
        report.add(pointer, "a cron text has five fields", found=text, expected=expected)
        return
    for field, (name, low, high, words) in zip(fields, FIELDS, strict=True):
        if not all(_fits(part, low, high, words) for part in field.split(",")):
            expected = f"{low} to {high}" + (f" or {words[0]} to {words[-1]}" if words else "") + ", *, ranges, /steps"
            report.add(pointer, f"the {name} is wrong", found=field, expected=expected)
            return
    error = report.check_cron(text)
    if error:
        report.add(pointer, error, found=text)


def _fits(part: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    found = RANGE.fullmatch(part)
    if not found:
        return False
    ends = [_number(end, low, words) for end in found.group(1, 2) if end]
    step = int(found[3]) if found[3] else 1
    return all(low <= end <= high for end in ends) and ends == sorted(ends) and step > 0


def _number(text: str, low: int, words: tuple[str, ...]) -> int:
    if text.isdigit():
        return int(text)
    return words.index(text.upper()) + low if text.upper() in words else -1
