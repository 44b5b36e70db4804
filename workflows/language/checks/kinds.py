"""The body of each kind of task. To add a kind: keys and checker here, dataclass and reader beside it."""

from collections.abc import Callable, Mapping
from typing import Any

from workflows.language.checks.blocks import check_for, check_fork, check_try
from workflows.language.checks.calls import check_call
from workflows.language.checks.children import check_run
from workflows.language.checks.errors import check_error
from workflows.language.checks.events import check_emit, check_listen
from workflows.language.checks.report import Report, at, check_object
from workflows.language.checks.values import BODY, Names, check_duration, check_expression, check_name, check_template

# The keys of each kind, those that must be there first.
KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "call": (("call",), ("with",)),
    "do": (("do",), ()),
    "emit": (("emit",), ()),
    "for": (("for", "do"), ("while",)),
    "fork": (("fork",), ()),
    "listen": (("listen",), ("foreach",)),
    "raise": (("raise",), ()),
    "run": (("run",), ()),
    "set": (("set",), ()),
    "switch": (("switch",), ()),
    "try": (("try", "catch"), ()),
    "wait": (("wait",), ()),
}


def check_set(report: Report, task: Mapping[str, Any], ref: str, scope: Names) -> None:
    """Check `set`: an object, or a text that is wholly an expression."""
    value, place = task["set"], at(ref, "set")
    if isinstance(value, dict) or (isinstance(value, str) and "${" in value):
        check_template(report, value, place, BODY | scope)
    else:
        report.add(place, "`set` must be an object or an expression in ${ }", found=value)


def check_switch(report: Report, task: Mapping[str, Any], ref: str, scope: Names) -> None:
    """Check `switch`: single-key objects, at most one of them without `when`."""
    cases, place = task["switch"], at(ref, "switch")
    if not isinstance(cases, list) or not cases:
        report.add(place, "`switch` must be a list of cases", found=cases)
        return
    names: set[str] = set()
    defaults = 0
    for index, item in enumerate(cases):
        if not isinstance(item, dict) or len(item) != 1:
            report.add(at(place, index), "a case is an object with one key, its name", found=item)
            continue
        ((name, case),) = item.items()
        if name in names:
            report.add(at(at(place, index), name), f"there is another case `{name}`", suggestion="Rename one.")
        names.add(name)
        defaults += _check_case(report, case, at(at(place, index), name), scope)
    if defaults > 1:
        report.add(place, "only one case may be without `when`: it is the default")


def _check_case(report: Report, case: Any, pointer: str, scope: Names) -> bool:
    if not check_object(report, case, pointer, ("when", "then"), required=("then",)):
        return False
    if "when" in case:
        check_expression(report, case["when"], at(pointer, "when"), BODY | scope)
    return "when" not in case


def check_wait(report: Report, task: Mapping[str, Any], ref: str, scope: Names) -> None:
    """Check `wait`."""
    check_duration(report, task["wait"], at(ref, "wait"), BODY | scope)


def check_raise(report: Report, task: Mapping[str, Any], ref: str, scope: Names) -> None:
    """Check `raise`: an error that is written out, or the name of one of `use.errors`."""
    place = at(ref, "raise")
    if not check_object(report, task["raise"], place, ("error",), required=("error",)) or "error" not in task["raise"]:
        return
    error, place = task["raise"]["error"], at(place, "error")
    if isinstance(error, str):
        check_name(report, error, place, "errors")
    else:
        check_error(report, error, place, BODY | scope)


Checker = Callable[[Report, Mapping[str, Any], str, Names], None]

# `do` has no body beside its list, which `tasks` walks into.
CHECKERS: Mapping[str, Checker] = {
    "call": check_call,
    "do": lambda *_: None,
    "emit": check_emit,
    "for": check_for,
    "fork": check_fork,
    "listen": check_listen,
    "raise": check_raise,
    "run": check_run,
    "set": check_set,
    "switch": check_switch,
    "try": check_try,
    "wait": check_wait,
}
