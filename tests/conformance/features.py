"""The steps of the specification's conformance features, and the scenarios in which they stand.

The vocabulary is that of the kit; a step that is not in it fails the scenario, so that nothing passes unread.
"""

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from gherkin.parser import Parser

from tests.conformance.judging import Came
from workflows.language import load

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "DOTDO_CONFORMANCE_FEATURES"
NAME = re.compile(r"'([^']*)'")

# (document, input) -> what the run came to
Execute = Callable[[Any, Any], Came]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a scenario with the text below it."""

    text: str
    below: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario of a feature file."""

    file: str
    name: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def folder() -> Path:
    """Return where the features are."""
    return Path(os.environ.get(VARIABLE) or ROOT / "../shared/conformance/features").resolve()


def scenarios() -> Iterator[Scenario]:
    """Yield all scenarios of all features."""
    for file in sorted(folder().glob("*.feature")):
        feature: Any = Parser().parse(file.read_text())["feature"]
        for child in feature["children"]:
            one = child["scenario"]
            steps = tuple(Step(step["text"], step.get("docString", {}).get("content", "")) for step in one["steps"])
            yield Scenario(file.stem, one["name"], steps)


FOUND = tuple(scenarios())
KNOWN = 21
WHY_NOT = f"there are no conformance features in {folder()}; {VARIABLE} names the folder of them"
NEEDED = pytest.mark.skipif(not FOUND, reason=WHY_NOT)
if not FOUND:
    warnings.warn(f"SKIPPED: {WHY_NOT}", pytest.PytestWarning, stacklevel=1)


@dataclass(slots=True)
class Stage:
    """What a scenario has set up so far, and what came of it."""

    execute: Execute
    document: Any = None
    input: Any = None
    came: Came | None = None
    checks: int = field(default=0)

    @property
    def ended(self) -> Came:
        """Return how the run ended."""
        assert self.came is not None, "the scenario looks at a workflow that it has not executed"
        self.checks += 1
        return self.came


def perform(scenario: Scenario, execute: Execute) -> None:
    """Go through the steps of a scenario. Raises AssertionError."""
    stage = Stage(execute)
    for step in scenario.steps:
        found = [(body, match) for pattern, body in VOCABULARY.items() if (match := re.fullmatch(pattern, step.text))]
        assert len(found) == 1, f"not in the vocabulary: {step.text}"
        body, match = found[0]
        body(stage, step.below, *match.groups())
    assert stage.checks, "the scenario has checked nothing"


def _define(stage: Stage, below: str) -> None:
    stage.document = load(below)


def _give(stage: Stage, below: str) -> None:
    stage.input = load(below)


def _execute(stage: Stage, below: str) -> None:
    stage.came = stage.execute(stage.document, stage.input)


def _completes(stage: Stage, below: str) -> None:
    assert stage.ended.state == "succeeded", stage.ended


def _completes_with(stage: Stage, below: str) -> None:
    _completes(stage, below)
    assert stage.ended.output == _value(below)


def _faults(stage: Stage, below: str) -> None:
    assert stage.ended.state == "failed", stage.ended


def _faults_with(stage: Stage, below: str) -> None:
    _faults(stage, below)
    error = stage.ended.error or {}
    expected = _value(below)
    assert {name: error.get(name) for name in expected} == expected


def _has_properties(stage: Stage, below: str, names: str) -> None:
    for name in NAME.findall(names):
        _property(stage, name)


def _has_value(stage: Stage, below: str, name: str) -> None:
    assert _property(stage, name) == _value(below)


def _has_items(stage: Stage, below: str, name: str, count: str) -> None:
    assert len(_property(stage, name)) == int(count)


def _runs_first(stage: Stage, below: str, name: str) -> None:
    assert stage.ended.path[0] == name, stage.ended.path


def _runs_last(stage: Stage, below: str, name: str) -> None:
    assert stage.ended.path[-1] == name, stage.ended.path


def _runs_after(stage: Stage, below: str, name: str, before: str) -> None:
    path = list(stage.ended.path)
    assert path.index(name) > path.index(before), path


def _property(stage: Stage, dotted: str) -> Any:
    value: Any = stage.ended.output
    for name in dotted.split("."):
        assert isinstance(value, Mapping), f"{dotted} in {stage.ended.output!r}"
        assert name in value, f"{dotted} in {stage.ended.output!r}"
        value = value[name]
    return value


def _value(text: str) -> Any:
    """Return any YAML value, read like a document."""
    return load(f"value:\n{_indented(text)}")["value"]


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


VOCABULARY: Mapping[str, Callable[..., None]] = {
    r"a workflow with definition:": _define,
    r"given the workflow input is:": _give,
    r"the workflow is executed": _execute,
    r"the workflow should complete": _completes,
    r"the workflow should complete with output:": _completes_with,
    r"the workflow should fault": _faults,
    r"the workflow should fault with error:": _faults_with,
    r"the workflow output should have properties ('.*')": _has_properties,
    r"the workflow output should have a '([^']*)' property with value:": _has_value,
    r"the workflow output should have a '([^']*)' property containing (\d+) items": _has_items,
    r"(\w+) should run first": _runs_first,
    r"(\w+) should run last": _runs_last,
    r"(\w+) should run after (\w+)": _runs_after,
}
