"""A scope computes what an expression mentions, and nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.pure_engine import PureServices
from workflows.engine.data import Data
from workflows.engine.frames import Frames
from workflows.engine.scope import Scope
from workflows.engine.services import Facts
from workflows.language import program

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOCUMENT = {
    "document": {"dsl": "1.0.3", "namespace": "test", "name": "scopes", "version": "1.0.0"},
    "do": [{"l": {"for": {"each": "input", "in": "${ . }"}, "do": [{"s": {"set": 1}}]}}],
}
OF_WORKFLOW = {"context", "workflow", "runtime", "secrets"}
STACK = [
    {"list": "/do", "key": "/do", "i": 0, "top": 0, "raw": [7, 8]},
    {"task": "/do/0/l", "key": "/do/0/l", "in": [7, 8], "at": NOW.isoformat(), "items": [7, 8], "n": 1, "cur": 7},
]


def refuse() -> str:
    raise AssertionError("nobody mentioned the webhook")


def data(frames: list[dict[str, Any]]) -> Data:
    built = program.build(DOCUMENT, {})
    return Data(built, Frames({"frames": frames}), "context", Facts("r", 1, NOW, refuse), PureServices(), NOW)


def scope(frames: list[dict[str, Any]], **more: Any) -> Scope:
    about = data(frames)
    return Scope(about, about.program.tasks[0], "/do/0/l", "raw", "in", "out", **more)


def test_the_workflow_itself_sees_no_task() -> None:
    found = data([]).workflow_scope()
    assert set(found) == OF_WORKFLOW
    assert "task" not in found
    with pytest.raises(KeyError):
        found["task"]


def test_a_task_sees_its_own_data_and_looking_for_a_name_computes_nothing() -> None:
    found = scope([])
    assert set(found) == OF_WORKFLOW | {"input", "output", "task"}
    assert "runtime" in found
    assert (found["context"], found["input"], found["output"]) == ("context", "in", "out")
    assert (found["task"]["input"], found["task"]["output"]) == ("raw", "out")


def test_an_inner_variable_shadows_an_outer_one() -> None:
    assert scope(STACK)["input"] == 8
    assert scope(STACK)["index"] == 1
    assert scope(STACK, more={"input": lambda: 9})["input"] == 9
    assert len(scope(STACK)) == len(set(scope(STACK))) == 8


def test_what_was_computed_is_kept() -> None:
    found = scope([])
    assert found["task"] is found["task"]
