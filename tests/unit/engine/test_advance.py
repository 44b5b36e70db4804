"""The engine as tables: a document and messages in, commands and output out. No database, no clock, no jq process."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflows.engine import advance as engine
from workflows.engine.advance import Stale, advance
from workflows.engine.faults import fault
from workflows.engine.messages import (
    Advance,
    CallFunction,
    Complete,
    Continue,
    Done,
    Failed,
    GoOn,
    Message,
    Park,
    SetTimer,
    Start,
)
from workflows.engine.services import Facts
from workflows.expressions import paths
from workflows.language import loader, program
from workflows.language.program import Program

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = "document: {dsl: 1.0.3, namespace: t, name: t, version: 1.0.0}\n"


class PlainServices:
    """Evaluates plain paths only; refuses what `schema` lists under `required`."""

    def evaluate(self, expression: str, dot: Any, variables: Mapping[str, Any]) -> Any:
        compiled = paths.parse(expression)
        if compiled is None:
            raise fault("expression", "not a plain path", expression)
        return compiled(dot, variables)

    def problems(self, schema: Mapping[str, Any] | bool, value: Any) -> list[str]:
        wanted = schema.get("required", []) if isinstance(schema, Mapping) else []
        return [f"{name} is missing" for name in wanted if name not in (value or {})]

    def secrets(self, names: Sequence[str]) -> Mapping[str, Any]:
        return {name: f"mark of {name}" for name in names}

    def random(self) -> float:
        return 0.5

    def unfit(self, value: Any) -> str:
        return "is too large" if len(json.dumps(value)) > 1_000 else ""


def load(body: str) -> Program:
    document = loader.load(HEAD + body)
    calls = {text: f"{text}:1.0.0" for text in _calls(document["do"])}
    return program.build(document, calls)


def _calls(part: Any) -> list[str]:
    """Find the calls anywhere: these documents have no data that looks like one."""
    if isinstance(part, list):
        return [text for item in part for text in _calls(item)]
    if not isinstance(part, dict):
        return []
    own = [part["call"]] if isinstance(part.get("call"), str) else []
    return own + [text for item in part.values() for text in _calls(item)]


class Play:
    """Applies messages one after another, through JSON each time, each message twice with the same result."""

    def __init__(self, body: str, value: Any = None) -> None:
        self.program, self.input = load(body), value
        self.cursor: dict[str, Any] = {}
        self.context: Any = {}
        self.path: list[str] = []

    def send(self, message: Message) -> Any:
        first, second = self._apply(message), self._apply(message)
        assert first == second, "the same message on the same cursor means the same"
        self.cursor = json.loads(json.dumps(first.cursor))
        self.context, self.path = first.context, self.path + first.trace
        self.last = first
        return first.command

    def _apply(self, message: Message) -> Advance:
        facts = Facts("run-1", self.input, NOW)
        cursor = json.loads(json.dumps(self.cursor))
        return advance(
            self.program, cursor, message, context=self.context, facts=facts, services=PlainServices(), now=NOW
        )

    def start(self) -> Any:
        return self.send(Start(self.input))


def output(body: str, value: Any = None) -> Any:
    command = Play(body, value).start()
    assert isinstance(command, Complete), command
    return command.output


@pytest.mark.parametrize(
    ("body", "value", "expected"),
    [
        pytest.param("do: [{a: {set: {x: 1}}}, {b: {set: {y: '${ .x }'}}}]", None, {"y": 1}, id="set replaces"),
        pytest.param("do: [{a: {do: []}}]", {"k": 1}, {"k": 1}, id="R7 an empty list passes its input on"),
        pytest.param(
            "do: [{a: {if: .no, set: {x: 1}}}, {b: {set: {was: '${ .yes }'}}}]", {"yes": 2}, {"was": 2}, id="if skips"
        ),
        pytest.param(
            "do: [{a: {if: .no, set: 1, then: c}}, {b: {set: {b: 1}}}, {c: {set: {c: '${ .k }'}}}]",
            {"k": 1},
            {"c": 1},
            id="R3 the directive of a skipped task holds",
        ),
        pytest.param(
            "do: [{a: {do: [{b: {set: {x: 1}, then: exit}}, {c: {set: {x: 2}}}]}}, {d: {set: {seen: '${ .x }'}}}]",
            None,
            {"seen": 1},
            id="exit leaves the scope",
        ),
        pytest.param(
            "do: [{a: {do: [{b: {set: {x: 1}, then: end}}]}}, {c: {set: {x: 2}}}]\noutput: {as: .x}",
            None,
            1,
            id="R18 end goes through the workflow's output",
        ),
        pytest.param(
            "do: [{a: {set: {x: '${ $context.n }'}}}]", None, {"x": None}, id="R19 the context begins as an object"
        ),
        pytest.param(
            "do: [{a: {set: {x: 1}, output: {as: .x}, export: {as: '${ . }'}}}, {b: {set: {c: '${ $context }'}}}]",
            None,
            {"c": 1},
            id="export sees the transformed output and replaces the context",
        ),
        pytest.param(
            "input: {from: .inner}\n"
            "do: [{a: {input: {from: .k}, set: {i: '${ . }', w: '${ $workflow.input.inner.k }'}}}]",
            {"inner": {"k": 5}},
            {"i": 5, "w": 5},
            id="inputs are transformed, the raw one stays visible",
        ),
        pytest.param(
            "do: [{s: {switch: [{d: {then: last}}, {x: {when: .a, then: first}}]}}, "
            "{first: {set: 1, then: end}}, {last: {set: 2}}]",
            {"a": True},
            1,
            id="a default counts last, wherever it stands",
        ),
        pytest.param(
            "do: [{s: {switch: [{x: {when: .a, then: exit}}], then: go}}, {no: {set: 1}}, {go: {set: 2}}]",
            {"a": False},
            2,
            id="no case: the task's own directive",
        ),
    ],
)
def test_data_and_directives(body: str, value: Any, expected: Any) -> None:
    assert output(body, value) == expected


def test_a_call_is_asked_for_once_and_its_output_flows_on() -> None:
    play = Play("do: [{a: {call: pay, with: {sum: '${ .sum }'}}}, {b: {set: {paid: '${ .id }'}}}]", {"sum": 3})
    command = play.start()
    assert command == CallFunction("/do/0/a", "/do/0/a", "a", "pay", "1.0.0", {"sum": 3})
    assert play.send(Done("/do/0/a", {"id": "p1"})) == Complete({"paid": "p1"})


def test_a_wait_outputs_its_input() -> None:
    play = Play("do: [{nap: {wait: PT5M}}, {b: {set: {k: '${ .k }'}}}]", {"k": 1})  # R15
    assert play.start() == SetTimer("/do/0/nap", "/do/0/nap", "nap", NOW + timedelta(minutes=5))
    assert play.send(Done("/do/0/nap")) == Complete({"k": 1})


def test_a_result_for_a_task_that_does_not_wait_is_stale() -> None:
    play = Play("do: [{a: {call: pay}}]")
    play.start()
    for key in ("/do/0/b", "", "/do/0/a[1]"):
        with pytest.raises(Stale):
            play.send(Done(key, 1))
    play.send(Done("/do/0/a", 1))
    with pytest.raises(Stale):
        play.send(Done("/do/0/a", 1))


def test_visits_make_each_pass_of_a_loop_a_key_of_its_own() -> None:
    play = Play("do: [{poll: {call: pay}}, {s: {switch: [{m: {when: .more, then: poll}}]}}]")
    keys = [play.start().key]
    for _ in range(3):
        keys.append(play.send(Done(keys[-1], {"more": True})).key)
    assert keys == ["/do/0/poll", "/do/0/poll[1]", "/do/0/poll[2]", "/do/0/poll[3]"]
    assert play.send(Done(keys[-1], {"more": False})) == Complete({"more": False})


def test_a_failed_call_parks_and_leaves_the_call_waiting() -> None:
    play = Play("do: [{a: {do: [{b: {call: pay}}]}}]")
    play.start()
    error = {"type": "t", "status": 500}
    command = play.send(Failed("/do/0/a/do/0/b", error))
    assert isinstance(command, Park)
    assert (command.key, command.error["instance"]) == ("/do/0/a/do/0/b", "/do/0/a/do/0/b")
    assert play.send(Done("/do/0/a/do/0/b", 7)) == Complete(7), "the call itself is what is retried"


def test_a_raised_error_gets_the_task_as_its_instance_and_continue_meets_it_again() -> None:
    play = Play("do: [{a: {call: pay}}, {no: {raise: {error: {type: t, status: 400, detail: '${ .why }'}}}}]")
    play.start()
    command = play.send(Done("/do/0/a", {"why": "because"}))
    assert isinstance(command, Park)
    assert command.error == {"type": "t", "status": 400, "detail": "because", "instance": "/do/1/no"}
    assert play.send(Continue()) == command


def test_a_fault_after_a_call_goes_on_behind_it() -> None:
    play = Play("do: [{a: {call: pay, output: {as: . | wrong}}}]")
    play.start()
    command = play.send(Done("/do/0/a", 1))
    assert isinstance(command, Park)
    assert command.key == "/do/0/a#leave"
    assert play.send(Continue()) == command


def test_input_that_breaks_the_schema_faults_before_anything_and_can_be_tried_again() -> None:
    play = Play("input: {schema: {document: {required: [k]}}}\ndo: [{a: {set: 1}}]", {})
    command = play.start()
    assert isinstance(command, Park)
    assert (command.error["status"], command.key) == (400, "#begin")
    assert play.send(Continue()) == command


def test_a_loop_without_calls_hands_back_after_its_budget() -> None:
    play = Play("do: [{a: {set: {x: 1}, then: a}}]")
    command = play.start()
    assert isinstance(command, GoOn)
    again = play.send(Continue())
    assert isinstance(again, GoOn)
    assert again.key != command.key


def test_a_loop_without_an_end_stops_at_the_limit_and_keeps_the_last_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_STEPS", 3)
    play = Play("do: [{poll: {call: pay, then: poll}}]")
    command = play.start()
    for _ in range(2):
        command = play.send(Done(command.key, 1))
    command = play.send(Done(command.key, 7))
    assert isinstance(command, Park)
    assert command.error["title"] == "too many steps"
    assert play.cursor["frames"][-1]["out"] == 7
    assert play.send(Continue()) == command


def test_the_path_taken_is_told() -> None:
    play = Play("do: [{s: {switch: [{c: {when: .a, then: x}}]}}, {n: {set: 1}}, {x: {if: .b, set: 2}}]", {"a": 1})
    play.start()
    assert play.path == ["/do/0/s took c", "/do/0/s", "/do/2/x skipped"]


@pytest.mark.parametrize("directive", ["end", "exit"])
def test_a_fault_in_the_workflows_output_after_a_call_that_ends_it_does_not_call_again(directive: str) -> None:
    play = Play(f"do: [{{a: {{call: pay, then: {directive}}}}}, {{b: {{set: 1}}}}]\noutput: {{as: bad expression}}")
    call = play.start()
    assert isinstance(call, CallFunction)
    parked = play.send(Done(call.key, {"paid": 1}))
    assert isinstance(parked, Park)
    assert play.send(Continue()) == parked, "only the output is tried again"


def test_values_that_grow_past_the_limits_are_a_fault_and_not_the_workers_death() -> None:
    parked = Play("do: [{a: {set: {x: '${ . }', y: '${ . }'}}}, {b: {set: 1, then: a}}]", {"k": "v" * 600}).start()
    assert isinstance(parked, Park)
    assert parked.error["detail"] == "is too large"
