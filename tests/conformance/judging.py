"""What a case came to, and whether that is what it expects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.conformance.tables import ABSENT, Case
from workflows.engine.faults import STATUS, TYPES

ANY, RUN = "<any>", "<run>"


@dataclass(frozen=True, slots=True)
class Came:
    """How a run ended, in the words of the tables."""

    run: str
    state: str
    output: Any = None
    error: Mapping[str, Any] | None = None
    resting: str = ""
    path: Sequence[str] = ()
    calls: Sequence[tuple[str, Any]] = ()
    undone: Sequence[tuple[str, Any]] = ()


def judge(case: Case, came: Came) -> None:
    """Compare what a run came to with what the case expects. Raises AssertionError."""
    told = f"{came.state} {came.resting}, output {came.output!r}, error {came.error!r}, path {list(came.path)}"
    if case.output is not ABSENT:
        assert came.state == "succeeded", told
        assert same(case.output, came.output, came.run), told
    elif case.error is not None:
        assert came.state == "failed", told
        assert not wrong_members(case.error, came.error or {}, came.run), told
    else:
        assert (came.state, came.resting) == ("waiting", case.resting), told
    if case.path is not None:
        assert list(came.path) == list(case.path), told
    for expected, seen in ((case.calls, came.calls), (case.undone, came.undone)):
        made = [{name: value} for name, value in seen]
        assert expected is None or same(list(expected), made, came.run), made


def judge_refusal(case: Case, problems: Sequence[Any]) -> None:
    """Compare the problems of a document with those that the case lists, in any order. Raises AssertionError."""
    told = [str(problem) for problem in problems]
    assert sorted(problem.pointer for problem in problems) == sorted(one["at"] for one in case.refused), told
    for one in case.refused:
        assert any(problem.pointer == one["at"] and str(one["says"]) in str(problem) for problem in problems), told


def same(expected: Any, seen: Any, run: str) -> bool:
    """Tell whether a value is as expected, with placeholders."""
    if expected == ANY:
        return seen is not None
    if isinstance(expected, str):
        return bool(seen == expected.replace(RUN, run))
    if isinstance(expected, Mapping):
        return (
            isinstance(seen, Mapping)
            and expected.keys() == seen.keys()
            and all(same(value, seen[name], run) for name, value in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(seen, list)
            and len(expected) == len(seen)
            and all(same(one, other, run) for one, other in zip(expected, seen, strict=True))
        )
    return bool(expected == seen) and isinstance(expected, bool) == isinstance(seen, bool)


def wrong_members(expected: Mapping[str, Any], seen: Mapping[str, Any], run: str) -> list[str]:
    """Return the names of the members of an error that are not as expected."""
    return [name for name, value in expected.items() if not _fits(name, value, seen.get(name), run)]


def _fits(name: str, value: Any, seen: Any, run: str) -> bool:
    if name == "type" and value in STATUS:
        return bool(seen == TYPES + value)
    if name == "detail" and value != ANY:
        return str(value).replace(RUN, run) in str(seen)
    return same(value, seen, run)
