"""Values of a document: expressions, durations, and JSON made of what Python code has at hand."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from workflows.build.checking import refuse
from workflows.language import strictness, templates
from workflows.language.templates import escape


def expr(text: str) -> str:
    """Mark a jq text as an expression: `expr(".total")` is `${ .total }`."""
    if templates.inner(text) is not None:
        raise refuse(f"expr({text!r})", "give the jq text itself, without ${ }")
    if not text.strip():
        raise refuse(f"expr({text!r})", "an expression is not empty; `.` is the whole value")
    return f"${{ {text.strip()} }}"


def plain(made_by: str, value: Any, place: str = "") -> Any:
    """Return a copy of a value as JSON has it; tuples become lists. Raises BuildError for anything else."""
    if value is None or isinstance(value, str | bool | int | float):
        return _scalar(made_by, value, place)
    if isinstance(value, timedelta):
        return from_timedelta(value)
    if place.count("/") > strictness.DEEPEST:
        raise refuse(made_by, f"the value is nested deeper than {strictness.DEEPEST} levels; simplify it")
    if isinstance(value, Mapping):
        return {_key(made_by, key, place): plain(made_by, item, _at(place, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(made_by, item, _at(place, index)) for index, item in enumerate(value)]
    raise refuse(made_by, f"JSON has no {type(value).__name__}; convert it first", place)


def duration(made_by: str, value: Any, units: Mapping[str, int]) -> Any:
    """Return a duration given as one value (text, object, timedelta, expression) or as units, but not as both."""
    if (value is None) == (not units):
        raise refuse(made_by, "give a duration: one value such as `PT5M`, or units such as minutes=5")
    return dict(units) if value is None else plain(made_by, value)


def from_timedelta(value: timedelta) -> dict[str, int]:
    """Return a timedelta as units, exact to the millisecond."""
    seconds, milliseconds = divmod(value // timedelta(milliseconds=1), 1_000)
    parts = {"days": seconds // 86_400, "seconds": seconds % 86_400, "milliseconds": milliseconds}
    return {unit: amount for unit, amount in parts.items() if amount} or {"seconds": 0}


def given(**parts: Any) -> dict[str, Any]:
    """Return what is not None; a name that Python reserves ends in `_`."""
    return {name.rstrip("_"): value for name, value in parts.items() if value is not None}


def _scalar(made_by: str, value: str | float | None, place: str) -> str | float | None:
    try:
        if isinstance(value, str):
            strictness.check_text(value)
        elif value is not None:
            strictness.check_number(value)
    except strictness.LoadError as error:
        raise refuse(made_by, error.reason, place) from None
    return value


def _at(place: str, key: object) -> str:
    return f"{place}/{escape(str(key))}"


def _key(made_by: str, key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise refuse(made_by, f"the key {key!r} is not a text", place)
    return key
