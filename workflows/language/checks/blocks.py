"""`for`, `fork` and `try` but for the tasks inside, and the variables that blocks give to those."""

from collections.abc import Mapping
from typing import Any

from workflows.language.checks.errors import OF_ERROR, check_named_retry, check_status
from workflows.language.checks.names import check_variables, variables_of
from workflows.language.checks.report import Report, at, check_boolean, check_object
from workflows.language.checks.values import BODY, Names, check_expression, check_template

MAX_BRANCHES = 1_000
OF_CATCH = ("errors", "as", "when", "exceptWhen", "retry", "do", "then")
LOOP = {"each": "item", "at": "index"}
EVENT = {"item": "item", "at": "index"}
CAUGHT = {"as": "error"}

Task = Mapping[str, Any]


def inside(task: Task, kind: str, place: str) -> Names:
    """Return the variables that a task gives to the list at `place` in it (R8)."""
    if kind == "for":
        return variables_of(task["for"], LOOP)
    if place == "catch/do":
        return variables_of(task.get("catch"), CAUGHT)
    return variables_of(task.get("foreach"), EVENT) if place == "foreach/do" else frozenset()


def check_for(report: Report, task: Task, ref: str, scope: Names) -> None:
    """Check a loop."""
    loop, place = task["for"], at(ref, "for")
    if not check_object(report, loop, place, ("each", "in", "at"), required=("in",)):
        return
    own = check_variables(report, loop, place, LOOP)
    items = loop.get("in", "")
    if isinstance(items, list):
        check_template(report, items, at(place, "in"), BODY | scope)
    elif "in" in loop:
        check_expression(report, items, at(place, "in"), BODY | scope)
    if "while" in task:
        check_expression(report, task["while"], at(ref, "while"), BODY | scope | own)


def check_fork(report: Report, task: Task, ref: str, _scope: Names) -> None:
    """Check branches."""
    fork, place = task["fork"], at(ref, "fork")
    if not check_object(report, fork, place, ("branches", "compete"), required=("branches",)):
        return
    check_boolean(report, fork, "compete", place)
    branches = fork.get("branches")
    if branches == []:
        report.add(at(place, "branches"), "a fork needs a branch")
    if isinstance(branches, list) and len(branches) > MAX_BRANCHES:
        message = f"the fork has {len(branches)} branches; the limit is {MAX_BRANCHES}"
        report.add(at(place, "branches"), message, suggestion="Use `call: map` over a list.")


def check_try(report: Report, task: Task, ref: str, scope: Names) -> None:
    """Check what a `try` catches."""
    if "catch" not in task:
        return
    catch, place = task["catch"], at(ref, "catch")
    if not check_object(report, catch, place, OF_CATCH):
        return
    variables = BODY | scope | check_variables(report, catch, place, CAUGHT)
    if "errors" in catch:
        _check_errors(report, catch["errors"], at(place, "errors"), variables)
    for key in ("when", "exceptWhen"):
        if key in catch:
            check_expression(report, catch[key], at(place, key), variables)
    if "retry" in catch:
        check_named_retry(report, catch["retry"], at(place, "retry"), variables)


def _check_errors(report: Report, errors: Any, pointer: str, variables: Names) -> None:
    if not check_object(report, errors, pointer, ("with",), required=("with",)) or "with" not in errors:
        return
    wanted, place = errors["with"], at(pointer, "with")
    if not check_object(report, wanted, place, OF_ERROR):
        return
    check_template(report, wanted, place, variables)
    for key in OF_ERROR:
        if key in wanted and key != "status" and not isinstance(wanted[key], str):
            report.add(at(place, key), f"`{key}` must be a text", found=wanted[key])
    check_status(report, wanted.get("status", 400), at(place, "status"))
