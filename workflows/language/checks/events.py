"""`emit` and `listen`: the attributes of events, and which events are consumed."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workflows.language import templates
from workflows.language.checks.names import check_variables
from workflows.language.checks.report import Report, at, check_choice, check_object, check_one_of, nearest
from workflows.language.checks.values import (
    BODY,
    EXPORT,
    NOTHING,
    Names,
    check_data,
    check_expression,
    check_template,
    is_expression,
)
from workflows.language.events import LONGEST_PATTERN, PATTERN

READ = ("data", "envelope", "raw")
TEXTS = ("id", "source", "type", "time", "subject", "datacontenttype", "dataschema")
ATTRIBUTES = (*TEXTS, "data")
ALWAYS_TEXT = (*TEXTS, "specversion")
EXTENSION = re.compile(r"[a-z0-9]{1,20}")
# What every dialect of regular expressions calls wrong; the rest is for the one that matches (jq's).
BROKEN = ("missing )", "unbalanced", "unterminated", "nothing to repeat", "bad escape (end")


def check_emit(report: Report, task: Mapping[str, Any], ref: str, scope: Names) -> None:
    """Check `emit`: the attributes of one event."""
    place = at(ref, "emit")
    if not check_object(report, task["emit"], place, ("event",), required=("event",)) or "event" not in task["emit"]:
        return
    event, place = task["emit"]["event"], at(place, "event")
    if not check_object(report, event, place, ("with",), required=("with",)) or "with" not in event:
        return
    given, place = event["with"], at(place, "with")
    if not isinstance(given, dict):
        report.add(place, "`with` must be an object", found=given)
        return
    if "type" not in given:
        report.add(place, "`type` is missing", suggestion="Name what happened, such as com.example.order.placed.v1.")
    _check_attributes(report, given, place)
    check_template(report, given, place, BODY | scope)
    for key in TEXTS:
        if key in given and (not isinstance(given[key], str) or not given[key].strip()):
            report.add(at(place, key), f"`{key}` must be a text that is not empty", found=given[key])
    _check_time(report, given.get("time", "${ now }"), at(place, "time"))


def _check_attributes(report: Report, given: Mapping[str, Any], pointer: str) -> None:
    for name in given:
        if name == "specversion":
            report.add(at(pointer, name), "`specversion` is always 1.0 here", suggestion="Remove it.")
        elif name not in ATTRIBUTES and not EXTENSION.fullmatch(name):
            hint = nearest(name, ATTRIBUTES) or "Extension attributes have 1 to 20 lower-case letters and digits."
            report.add(at(pointer, name), f"`{name[:60]}` is not an attribute of an event", suggestion=hint)


def _check_time(report: Report, value: Any, pointer: str) -> None:
    try:
        right = not isinstance(value, str) or is_expression(value) or datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        right = False
    if not right:
        report.add(pointer, "this is not a moment", found=value, expected="such as 2030-01-31T08:00:00Z")


def check_listen(report: Report, task: Mapping[str, Any], ref: str, scope: Names) -> None:
    """Check `listen`, and its `foreach` but for the tasks inside."""
    listen, place = task["listen"], at(ref, "listen")
    if check_object(report, listen, place, ("to", "read"), required=("to",)):
        if "to" in listen:
            check_strategy(report, listen["to"], at(place, "to"), BODY | scope)
        if "read" in listen:
            check_choice(report, listen["read"], at(place, "read"), READ)
    if "foreach" in task:
        _check_foreach(report, task["foreach"], at(ref, "foreach"), scope)


def _check_foreach(report: Report, given: Any, pointer: str, scope: Names) -> None:
    if not check_object(report, given, pointer, ("item", "at", "do", "output", "export")):
        return
    inside = scope | check_variables(report, given, pointer, {"item": "item", "at": "index"})
    if "output" in given:
        check_data(report, given["output"], at(pointer, "output"), "as", BODY | inside)
    if "export" in given:
        check_data(report, given["export"], at(pointer, "export"), "as", EXPORT | inside)


def check_strategy(
    report: Report, value: Any, pointer: str, variables: Names, *, running: bool = True, until: bool = True
) -> None:
    """Check which events are consumed. `running`: in a run, so that `until` and first values make sense."""
    mode = check_one_of(report, value, pointer, ("one", "all", "any"), beside=("until",) if until and running else ())
    if mode is None:
        return
    filters, place = value[mode], at(pointer, mode)
    if mode == "one":
        _check_filter(report, filters, place, variables, running=running)
    elif not isinstance(filters, list) or (mode == "all" and not filters):
        report.add(place, f"`{mode}` must be a list of filters", found=filters)
    else:
        for index, item in enumerate(filters):
            _check_filter(report, item, at(place, index), variables, running=running)
    if "until" in value and running and until:
        _check_until(report, value["until"], at(pointer, "until"), mode, variables)


def _check_until(report: Report, value: Any, pointer: str, mode: str, variables: Names) -> None:
    if mode != "any":
        report.add(pointer, "`until` has an effect with `any` only", suggestion="Remove it.")
    elif isinstance(value, dict):
        check_strategy(report, value, pointer, variables, until=False)
    else:
        check_expression(report, value, pointer, variables)


def _check_filter(report: Report, value: Any, pointer: str, variables: Names, *, running: bool) -> None:
    if not check_object(report, value, pointer, ("with", "correlate"), required=("with",)):
        return
    wanted, place = value.get("with"), at(pointer, "with")
    if isinstance(wanted, dict) and wanted:
        _check_attributes(report, {name: item for name, item in wanted.items() if name != "specversion"}, place)
        for name, item in wanted.items():
            if name in ALWAYS_TEXT and not isinstance(item, str):
                hint = "Write a text, a regular expression, or a condition in `${ }`."
                report.add(at(place, name), f"`{name}` of an event is always a text", found=item, suggestion=hint)
            else:
                _check_wanted(report, item, at(place, name), variables)
    elif "with" in value:
        report.add(place, "`with` must be an object with at least one attribute", found=wanted)
    if "correlate" in value:
        _check_correlate(report, value["correlate"], at(pointer, "correlate"), variables, running=running)


def _check_wanted(report: Report, value: Any, pointer: str, variables: Names) -> None:
    """Check what an attribute must be: a value, a regular expression, or a condition on the attribute (R28)."""
    if isinstance(value, dict | list) and not templates.is_constant(value):
        hint = 'Write one condition, such as `${ .kind == "paid" }`; `.` is the attribute.'
        report.add(pointer, "an expression cannot stand inside a value here", suggestion=hint)
    elif isinstance(value, str) and "${" in value:
        check_template(report, value, pointer, variables)
    elif isinstance(value, str) and PATTERN.search(value):
        _check_pattern(report, value, pointer)


def _check_pattern(report: Report, text: str, pointer: str) -> None:
    if len(text) > LONGEST_PATTERN:
        message = f"the regular expression has {len(text)} characters; the limit is {LONGEST_PATTERN}"
        report.add(pointer, message, suggestion="Write a condition in `${ }`.")
        return
    try:
        re.compile(text)
    except re.error as error:
        if error.msg.startswith(BROKEN):
            hint = "Put a \\ before signs that mean themselves."
            report.add(pointer, f"the regular expression is wrong: {error.msg}", found=text, suggestion=hint)
    except (OverflowError, RecursionError):
        report.add(pointer, "the regular expression is too complicated", found=text)


def _check_correlate(report: Report, value: Any, pointer: str, variables: Names, *, running: bool) -> None:
    if not isinstance(value, dict):
        report.add(pointer, "`correlate` must be an object of names", found=value)
        return
    for name, item in value.items():
        place = at(pointer, name)
        needed = ("from",) if running else ("from", "expect")
        if not check_object(report, item, place, ("from", "expect"), required=needed):
            continue
        if "from" in item:  # evaluated where the event arrives: no run is known there
            check_expression(report, item["from"], at(place, "from"), NOTHING)
        check_template(report, item.get("expect"), at(place, "expect"), variables)
