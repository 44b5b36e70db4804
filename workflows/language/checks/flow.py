"""Where a task list goes from each task: unknown targets, and tasks that nothing leads to."""

from collections.abc import Iterator, Mapping
from typing import Any

from workflows.language.checks.report import Report, at, nearest
from workflows.language.tasks import CONTINUE, DIRECTIVES

Named = list[tuple[str, Any]]


def check_flow(report: Report, pointer: str, tasks: Named, everywhere: set[str], *, whole: bool) -> None:
    """Check the directives of one list. `everywhere` holds the names of all tasks of the document.

    Which tasks are reached is only known of a list that is `whole`: each task can be read, no two have one name.
    """
    names = [name for name, _ in tasks]
    known = whole
    for place, directive in _all_directives(pointer, tasks):
        known &= _check_target(report, place, directive, names, everywhere)
    if known:
        _check_reachable(report, pointer, tasks, names)


def check_branches(report: Report, pointer: str, tasks: Named) -> None:
    """Check the directives of the branches of a fork, none of which leads to another."""
    names = [name for name, _ in tasks]
    for place, directive in _all_directives(pointer, tasks):
        if directive in names:
            hint = "Put both into one branch, a `do`."
            report.add(place, "a branch cannot go to another branch", found=directive, suggestion=hint)
        else:
            _check_target(report, place, directive, [], set())


def _all_directives(pointer: str, tasks: Named) -> Iterator[tuple[str, Any]]:
    for index, (name, task) in enumerate(tasks):
        yield from _directives(at(at(pointer, index), name), task)


def _directives(ref: str, task: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if "then" in task:
        yield at(ref, "then"), task["then"]
    catch = task.get("catch")
    if isinstance(catch, dict) and "then" in catch:
        yield f"{ref}/catch/then", catch["then"]
    for index, case in _cases(task):
        for name, way in case.items():
            if isinstance(way, dict) and "then" in way:
                yield f"{at(at(at(ref, 'switch'), index), name)}/then", way["then"]


def _cases(task: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    cases = task.get("switch")
    if isinstance(cases, list):
        yield from ((index, case) for index, case in enumerate(cases) if isinstance(case, dict))


def _check_target(report: Report, place: str, target: Any, names: list[str], everywhere: set[str]) -> bool:
    if not isinstance(target, str):
        expected = "continue, exit, end or the name of a task"
        report.add(place, "`then` is not a directive", found=target, expected=expected)
        return False
    if target in DIRECTIVES or target in names:
        return True
    if target in everywhere:
        message = f"`{target}` is in another list; `then` can only name tasks of its own list"
        report.add(place, message, suggestion="Leave the list with `exit`, or move the task.")
    else:
        hint = nearest(target, [*names, *DIRECTIVES])
        report.add(place, "there is no such task in this list", found=target, suggestion=hint)
    return False


def _check_reachable(report: Report, pointer: str, tasks: Named, names: list[str]) -> None:
    positions = {name: index for index, name in enumerate(names)}
    reached, waiting = set(), [0] if tasks else []
    while waiting:
        index = waiting.pop()
        if index < len(tasks) and index not in reached:
            reached.add(index)
            waiting += [index + 1 if way == CONTINUE else positions[way] for way in _ways(tasks[index][1], positions)]
    for index, (name, _) in enumerate(tasks):
        if index not in reached:
            hint = "Name it in a `then`, or remove it."
            report.add(at(at(pointer, index), name), "nothing leads to this task", suggestion=hint)


def _ways(task: Mapping[str, Any], names: Mapping[str, int]) -> Iterator[str]:
    """Yield the directives that a task may leave its list position by; a skipped task follows its own `then` (R3)."""
    own = task.get("then", CONTINUE)
    cases = [way for _, case in _cases(task) for way in case.values() if isinstance(way, dict)]
    always_taken = any("when" not in way for way in cases)
    catch = task.get("catch")
    ways: list[Any] = [way.get("then") for way in (*cases, catch if isinstance(catch, dict) else {})]
    if "if" in task or not ("raise" in task or always_taken):
        ways.append(own)
    yield from (way for way in ways if way == CONTINUE or way in names)
