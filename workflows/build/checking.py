"""What publishing would refuse, refused where it is written: the validator on a part of a document.

A part is checked inside a document made for it, in which everything that only the rest could say is assumed to be
there: functions, workflows, what `use` defines, the tasks that a `then` names, the variables of blocks around it. The
whole document is checked again, without these assumptions but for the functions, when it is read.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workflows.build.assumed import Assumed, names_used
from workflows.language.catalog import Catalog, CheckCron, CheckSchema, CompileExpression
from workflows.language.checks.tasks import NAME
from workflows.language.tasks import DIRECTIVES
from workflows.language.templates import escape
from workflows.language.validator import Problem, validate

HEAD = {"dsl": "1.0.3", "namespace": "part", "name": "part", "version": "1.0.0"}
NOTHING: Mapping[str, Any] = {}
NIGHTLY = {"cron": "0 0 * * *"}
# What stands for a name of `use` that is not defined yet.
STAND_IN: Mapping[str, Any] = {
    "errors": {"type": "https://example.com/errors/any", "status": 500},
    "retries": {"delay": {"seconds": 1}, "limit": {"attempt": {"count": 1}}},
    "timeouts": {"after": {"seconds": 1}},
    "authentications": {"bearer": {"token": "any"}},
}
VARIABLE = re.compile(r"\$\s*([A-Za-z_][A-Za-z0-9_]*)")


class BuildError(ValueError):
    """What was built cannot be published. `problems` has each reason with its place in the document."""

    def __init__(self, made_by: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{made_by}: {problem}" for problem in problems))
        self.made_by = made_by
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Tools:
    """What looks inside expressions and schemas; the language has neither jq nor JSON Schema itself."""

    compile_expression: CompileExpression = lambda *_: None
    check_schema: CheckSchema = lambda *_: ()
    check_cron: CheckCron = lambda *_: None


_tools = [Tools()]


def install(tools: Tools) -> None:
    """Check expressions and schemas with these from now on; where dotdo runs, it has installed its own."""
    _tools[0] = tools


def refuse(made_by: str, message: str, place: str = "") -> BuildError:
    """Return the error of a call that makes no sense at all, to be raised."""
    return BuildError(made_by, [Problem(place, message)])


def check_task(made_by: str, name: str, definition: Mapping[str, Any]) -> None:
    """Check one task. Raises BuildError with places relative to the task."""
    _check_part(made_by, name, definition, "")


def check_retry(made_by: str, policy: Mapping[str, Any]) -> None:
    """Check a retry policy. Raises BuildError with places relative to it."""
    _check_part(made_by, "part", {"try": [{"inside": {"set": {}}}], "catch": {"retry": policy}}, "/catch/retry")


def _check_part(made_by: str, name: str, definition: Mapping[str, Any], inside: str) -> None:
    """Check what stands at `inside` in one task."""
    place = f"/do/0/{escape(name)}{inside}"
    targets = dict.fromkeys(target for target in _targets(definition) if target != name and NAME.fullmatch(target))
    beside: list[dict[str, Any]] = [{target: {"set": {}}} for target in targets]
    document = _around([{name: definition}, *beside])
    found = [
        replace(problem, pointer=problem.pointer.removeprefix(place))
        for problem in problems_of(document, Assumed(document), _lenient())
        if f"{problem.pointer}/".startswith(f"{place}/")
    ]
    if found:
        raise BuildError(made_by, found)


def check_growing(made_by: str, document: Mapping[str, Any]) -> None:
    """Check a document that may still lack tasks, what they `use`, and its schedule. Raises BuildError."""
    tasks = document.get("do") or [{"first": {"set": {}}}]
    _refuse(made_by, {"schedule": NIGHTLY, **document, **_around(tasks, document), "document": document["document"]})


def check_whole(made_by: str, document: Any) -> None:
    """Check a document as it stands, whatever functions there are. Raises BuildError."""
    _refuse(made_by, document)


def problems_of(document: Any, catalog: Catalog, tools: Tools | None = None) -> list[Problem]:
    """Return what the validator says of a document."""
    tools = tools or _tools[0]
    return validate(
        document,
        catalog,
        compile_expression=tools.compile_expression,
        check_schema=tools.check_schema,
        check_cron=tools.check_cron,
    )


def _refuse(made_by: str, document: Any) -> None:
    found = problems_of(document, Assumed(document))
    if found:
        raise BuildError(made_by, found)


def _around(tasks: Sequence[Mapping[str, Any]], document: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """Return a document in which these tasks may stand."""
    given = document.get("use", {})
    used = names_used(tasks)
    use = {**given, **{key: _filled(key, names, given.get(key)) for key, names in used.items() if names}}
    return {"document": HEAD, **({"use": use} if use else {}), "do": list(tasks)}


def _filled(key: str, names: Sequence[str], given: Any) -> Any:
    if key == "secrets":
        return [*(given or []), *(name for name in names if name not in (given or []))]
    return {**dict.fromkeys(names, STAND_IN[key]), **(given or {})}


def _lenient() -> Tools:
    """Return tools that take every variable for known: the blocks around a part may define it."""
    real = _tools[0].compile_expression
    return replace(
        _tools[0],
        compile_expression=lambda text, variables: real(text, variables | frozenset(VARIABLE.findall(text))),
    )


def _targets(definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of tasks beside this one that it jumps to."""
    catch = definition.get("catch")
    cases = definition.get("switch")
    ways: list[Any] = [definition, catch]
    for case in cases if isinstance(cases, list) else ():
        ways += case.values() if isinstance(case, dict) else ()
    for way in ways:
        target = way.get("then") if isinstance(way, Mapping) else None
        if isinstance(target, str) and target not in DIRECTIVES:
            yield target
