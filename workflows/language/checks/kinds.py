"""The body of each kind of task. To add a kind: keys and checker here, dataclass and reader in `program`."""

from collections.abc import Callable, Mapping
from typing import Any

from workflows.language import durations, templates
from workflows.language.checks.calls import check_call
from workflows.language.checks.report import Report, at, check_object, check_text
from workflows.language.checks.values import BODY, check_expression, check_template

KEYS: Mapping[str, tuple[str, ...]] = {
    "call": ("call", "with"),
    "do": ("do",),
    "raise": ("raise",),
    "set": ("set",),
    "switch": ("switch",),
    "wait": ("wait",),
}


def check_set(report: Report, task: Mapping[str, Any], ref: str) -> None:
    """Check `set`: an object, or a text that is wholly an expression."""
    value, place = task["set"], at(ref, "set")
    if isinstance(value, dict) or (isinstance(value, str) and "${" in value):
        check_template(report, value, place, BODY)
    else:
        report.add(place, "`set` must be an object or an expression in ${ }", found=value)


def check_switch(report: Report, task: Mapping[str, Any], ref: str) -> None:
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
        defaults += _check_case(report, case, at(at(place, index), name))
    if defaults > 1:
        report.add(place, "only one case may be without `when`: it is the default")


def _check_case(report: Report, case: Any, pointer: str) -> bool:
    if not check_object(report, case, pointer, ("when", "then"), required=("then",)):
        return False
    if "when" in case:
        check_expression(report, case["when"], at(pointer, "when"), BODY)
    return "when" not in case


def check_wait(report: Report, task: Mapping[str, Any], ref: str) -> None:
    """Check `wait`: an object of units, an ISO 8601 text or an expression in `${ }`."""
    value, place = task["wait"], at(ref, "wait")
    if isinstance(value, str) and "${" in value:
        check_template(report, value, place, BODY)
        return
    try:
        durations.parse_wait(value)
    except durations.DurationError as error:
        report.add(place, str(error), found=value)


def check_raise(report: Report, task: Mapping[str, Any], ref: str) -> None:
    """Check `raise`: an error with a type and a status."""
    place = at(ref, "raise")
    if not check_object(report, task["raise"], place, ("error",), required=("error",)) or "error" not in task["raise"]:
        return
    error, place = task["raise"]["error"], at(place, "error")
    if isinstance(error, str):
        hint = "Write the error out: an object with `type` and `status`."
        report.add(place, "names of errors (`use.errors`) are not in this release", found=error, suggestion=hint)
        return
    keys = ("type", "status", "title", "detail", "instance")
    if not check_object(report, error, place, keys, required=("type", "status")):
        return
    check_template(report, error, place, BODY)
    for key in ("type", "title", "detail", "instance"):
        check_text(report, error, key, place)
    _check_status(report, error.get("status", 400), at(place, "status"))


def _check_status(report: Report, status: Any, pointer: str) -> None:
    if isinstance(status, str) and templates.inner(status) is not None:
        return
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        report.add(pointer, "`status` is wrong", found=status, expected="a number from 100 to 599, or an expression")


Checker = Callable[[Report, Mapping[str, Any], str], None]

# `do` has no body beside its list, which `tasks` walks into.
CHECKERS: Mapping[str, Checker] = {
    "call": check_call,
    "set": check_set,
    "switch": check_switch,
    "wait": check_wait,
    "raise": check_raise,
}
