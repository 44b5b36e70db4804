"""Task lists and what all tasks have: names (R2), kinds, common fields, limits."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from workflows.language.checks.blocks import inside
from workflows.language.checks.flow import check_branches, check_flow
from workflows.language.checks.kinds import CHECKERS, KEYS
from workflows.language.checks.metadata import check_task_metadata
from workflows.language.checks.report import Report, at, check_object, nearest
from workflows.language.checks.values import (
    BEFORE_TASK,
    BODY,
    EXPORT,
    NOTHING,
    Names,
    check_data,
    check_expression,
    check_timeout,
)
from workflows.language.kinds import KINDS, kind_of, lists_of
from workflows.language.tasks import DIRECTIVES

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
LONGEST_NAME = 100
LONGEST_PLACE = 500  # the column of a step that holds its place in the document
MAX_TASKS = 2_000  # so that a fork can have its 1,000 branches
MAX_NESTING = 16
COMMON = ("if", "input", "output", "export", "timeout", "then", "metadata")
EXPECTED = "one of " + ", ".join(sorted(KINDS))

Task = Mapping[str, Any]


def check_tasks(report: Report, items: Any) -> None:
    """Check the tasks of a document, all levels."""
    everywhere = set(_all_names(items))
    if items == []:
        report.add("/do", "a workflow needs a task")
    _check_list(report, items, "/do", 1, everywhere, NOTHING)
    if report.tasks > MAX_TASKS:
        hint = "Split it into several workflows."
        report.add("/do", f"the document has {report.tasks} tasks; the limit is {MAX_TASKS}", suggestion=hint)


def _all_names(items: Any) -> Iterator[str]:
    for item in items if isinstance(items, list) else ():
        for name, task in item.items() if isinstance(item, dict) else ():
            yield name
            if isinstance(task, dict):
                for _, tasks in lists_of(task):
                    yield from _all_names(tasks)


def _check_list(
    report: Report,
    items: Any,
    pointer: str,
    depth: int,
    everywhere: set[str],
    scope: Names,
    *,
    branches: bool = False,
) -> None:
    """Check a list. `scope`: the variables of the blocks around it; `branches`: it is the list of a fork."""
    if not isinstance(items, list):
        report.add(pointer, "this must be a list of tasks", found=items, expected="- name: {…}")
        return
    if depth > MAX_NESTING:
        report.add(pointer, f"task lists are nested deeper than {MAX_NESTING} levels", suggestion="Flatten them.")
        return
    tasks = [_named(report, item, at(pointer, index)) for index, item in enumerate(items)]
    _check_names(report, [name for name, _ in tasks], pointer)
    for index, (name, task) in enumerate(tasks):
        if task is not None and not report.full:
            _check_task(report, task, at(at(pointer, index), name), depth, everywhere, scope)
    if not all(name for name, _ in tasks):
        return  # which tasks there are is not known
    named = [(name, {} if task is None else task) for name, task in tasks]
    if branches:
        check_branches(report, pointer, named)
    else:
        whole = len({name for name, task in tasks if task is not None}) == len(items)
        check_flow(report, pointer, named, everywhere, whole=whole)


def _named(report: Report, item: Any, pointer: str) -> tuple[str, Task | None]:
    """Return the name and the task of one item of a list; None for what is not a task."""
    report.tasks += 1
    if not isinstance(item, dict) or len(item) != 1:
        _refuse_item(report, item, pointer)
        return "", None
    ((name, task),) = item.items()
    if not isinstance(task, dict):
        report.add(at(pointer, name), "a task must be an object", found=task, expected=EXPECTED)
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


def _check_task(report: Report, task: Task, ref: str, depth: int, everywhere: set[str], scope: Names) -> None:
    kind = kind_of(task)
    if kind is None:
        hint = next(filter(None, (nearest(key, KINDS) for key in task if key not in COMMON)), "")
        report.add(ref, "nothing says what this task does", expected=EXPECTED, suggestion=hint)
        return
    if len(ref) > LONGEST_PLACE:
        message = f"its place is {len(ref)} characters long; the limit is {LONGEST_PLACE}"
        report.add(ref, message, suggestion="Use shorter names.")
    _check_keys(report, task, kind, ref)
    _check_common(report, task, ref, scope)
    CHECKERS[kind](report, task, ref, scope)
    for place, tasks in lists_of(task):
        if place != "do" or "do" in task:
            around = scope | inside(task, kind, place)
            _check_list(report, tasks, f"{ref}/{place}", depth + 1, everywhere, around, branches=kind == "fork")


def _check_keys(report: Report, task: Task, kind: str, ref: str) -> None:
    required, optional = KEYS[kind]
    for other in task:
        if other in KINDS and other not in required:
            message = f"a task does one thing, and this one is a `{kind}`"
            report.add(at(ref, other), message, suggestion="Make it two tasks.")
    known = {key: value for key, value in task.items() if key in required or key not in KINDS}
    check_object(report, known, ref, (*required, *optional, *COMMON), required=required)


def _check_common(report: Report, task: Task, ref: str, scope: Names) -> None:
    if "if" in task:
        check_expression(report, task["if"], at(ref, "if"), BEFORE_TASK | scope)
    for field, transform, variables in (
        ("input", "from", BEFORE_TASK),
        ("output", "as", BODY),
        ("export", "as", EXPORT),
    ):
        if field in task:
            check_data(report, task[field], at(ref, field), transform, variables | scope)
    if "timeout" in task:
        check_timeout(report, task["timeout"], at(ref, "timeout"), BODY | scope)
    check_task_metadata(report, task, ref, scope)
