"""Task lists and what all tasks have: names (R2), kinds, common fields, limits."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from workflows.language.checks.flow import check_flow
from workflows.language.checks.kinds import CHECKERS, KEYS
from workflows.language.checks.refused import DOTDO_OF_TASK, KINDS, TASK
from workflows.language.checks.report import Report, at, check_object, nearest
from workflows.language.checks.values import BEFORE_TASK, BODY, EXPORT, check_data, check_expression, check_metadata
from workflows.language.kinds import KINDS as ALL_KINDS
from workflows.language.kinds import kind_of
from workflows.language.program import DIRECTIVES

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
LONGEST_NAME = 100
MAX_TASKS = 1_000
MAX_NESTING = 16
COMMON = ("if", "input", "output", "export", "then", "metadata")

SUPPORTED = tuple(sorted(KEYS))

Task = Mapping[str, Any]


def check_tasks(report: Report, items: Any) -> None:
    """Check the tasks of a document, all levels."""
    everywhere = set(_all_names(items))
    _check_list(report, items, "/do", 1, everywhere)
    if report.tasks > MAX_TASKS:
        hint = "Split it into several workflows."
        report.add("/do", f"the document has {report.tasks} tasks; the limit is {MAX_TASKS}", suggestion=hint)


def _all_names(items: Any) -> Iterator[str]:
    for item in items if isinstance(items, list) else ():
        for name, task in item.items() if isinstance(item, dict) else ():
            yield name
            if isinstance(task, dict):
                yield from _all_names(task.get("do"))


def _check_list(report: Report, items: Any, pointer: str, depth: int, everywhere: set[str]) -> None:
    if not isinstance(items, list):
        report.add(pointer, "this must be a list of tasks", found=items, expected="- name: {…}")
        return
    if depth > MAX_NESTING:
        report.add(pointer, f"task lists are nested deeper than {MAX_NESTING} levels", suggestion="Flatten them.")
        return
    tasks = [_named(report, item, at(pointer, index)) for index, item in enumerate(items)]
    _check_names(report, [name for name, _ in tasks], pointer)
    for index, (name, task) in enumerate(tasks):
        if task is not None:
            _check_task(report, task, at(at(pointer, index), name), depth, everywhere)
    complete = [(name, task) for name, task in tasks if task is not None]
    if len({name for name, _ in complete}) == len(items):
        check_flow(report, pointer, complete, everywhere)


def _named(report: Report, item: Any, pointer: str) -> tuple[str, Task | None]:
    """Return the name and the task of one item of a list; None for what is not a task."""
    report.tasks += 1
    if not isinstance(item, dict) or len(item) != 1:
        _refuse_item(report, item, pointer)
        return "", None
    ((name, task),) = item.items()
    if not isinstance(task, dict):
        report.add(at(pointer, name), "a task must be an object", found=task, expected="one of " + ", ".join(SUPPORTED))
        return name, None
    return name, task


def _refuse_item(report: Report, item: Any, pointer: str) -> None:
    message = "a task is an object with one key, its name"
    if isinstance(item, dict) and item:
        message += "; this one has " + ", ".join(f"`{key[:20]}`" for key in list(item)[:5])
        report.add(pointer, message, suggestion="Indent the keys of the task below its name.")
    else:
        report.add(pointer, message, found=item)


def _check_names(report: Report, names: list[str], pointer: str) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        place = at(at(pointer, index), name)
        if name in DIRECTIVES:
            report.add(place, f"`{name}` is a directive and cannot name a task", suggestion="Rename the task.")
        elif name and (not NAME.fullmatch(name) or len(name) > LONGEST_NAME):
            expected = f"a letter, then letters, digits, - and _; {LONGEST_NAME} at most"
            report.add(place, "this cannot name a task", found=name, expected=expected)
        elif name in seen:
            report.add(place, f"there is another task `{name}` in this list", suggestion="Rename one.")
        if name:
            seen.add(name)


def _check_task(report: Report, task: Task, ref: str, depth: int, everywhere: set[str]) -> None:
    kind = kind_of(task)
    if kind is None:
        hint = next(filter(None, (nearest(key, ALL_KINDS) for key in task)), "")
        report.add(ref, "nothing says what this task does", expected="one of " + ", ".join(SUPPORTED), suggestion=hint)
        return
    if kind not in SUPPORTED:
        report.add(at(ref, kind), f"`{kind}` is not in this release", suggestion=KINDS[kind])
        return
    for other in task:
        if other in ALL_KINDS and other != kind:
            report.add(
                at(ref, other), f"a task does one thing, and this one is a `{kind}`", suggestion="Make it two tasks."
            )
    known = {key: value for key, value in task.items() if key == kind or key not in ALL_KINDS}
    check_object(report, known, ref, (*KEYS[kind], *COMMON), not_yet=TASK)
    _check_common(report, task, ref)
    if kind == "do":
        _check_list(report, task["do"], at(ref, "do"), depth + 1, everywhere)
    else:
        CHECKERS[kind](report, task, ref)


def _check_common(report: Report, task: Task, ref: str) -> None:
    if "if" in task:
        check_expression(report, task["if"], at(ref, "if"), BEFORE_TASK)
    for field, transform, variables in (
        ("input", "from", BEFORE_TASK),
        ("output", "as", BODY),
        ("export", "as", EXPORT),
    ):
        if field in task:
            check_data(report, task[field], at(ref, field), transform, variables)
    check_metadata(report, task, ref, DOTDO_OF_TASK)
