"""Definitions as blocks: every kind of task is in the graph, and the ways of a switch are columns where they meet."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from workflows.graph import outline, ways
from workflows.graph.outline import Block, Node
from workflows.graph.standing import walk
from workflows.language import program

EXAMPLES = Path(__file__).parents[3] / "examples"
DOCUMENTS = sorted(path.name for path in EXAMPLES.glob("*.yaml") if path.name != "actions.yaml")


def read(text: str) -> Block:
    return outline.read({"do": yaml.safe_load(text)}, {})


def shape(block: Block) -> list[Any]:
    """Return the names of a block, with what is inside them."""
    return [_shape(node) for node in block.nodes]


def _shape(node: Node) -> Any:
    name = node.name + (f" > {node.goes}" if node.goes != "continue" else "")
    if node.lanes:
        return {name: {lane.name + (f" > {lane.goes}" if lane.goes else ""): shape(lane.block) for lane in node.lanes}}
    inside = [*(shape(node.body) if node.body else []), *(["catch", *shape(node.caught)] if node.caught else [])]
    return {name: inside} if inside else name


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_task_is_drawn_once_under_the_pointer_that_its_steps_have(name: str) -> None:
    document = yaml.safe_load((EXAMPLES / name).read_text())
    names = {each["call"] for each in _tasks(document["do"]) if "call" in each}
    built = program.build(document, {each: f"{each}:1.0.0" for each in names} | _children(document))
    drawn = [node.ref for node in walk(outline.read(document, built.lock))]
    assert sorted(drawn) == sorted(built.by_ref)


def test_all_kinds_of_tasks_have_a_place() -> None:
    block = read("""
- a: {call: x}
- b: {set: {v: 1}}
- c: {wait: {seconds: 1}}
- d: {emit: {event: {with: {type: t}}}}
- e: {listen: {to: {one: {}}, }, foreach: {do: [{e1: {set: {}}}]}}
- f: {run: {workflow: {name: w, version: 1.0.0}}}
- g: {raise: {error: {type: t}}}
- h: {do: [{h1: {set: {}}}]}
- i: {for: {in: "${ . }"}, do: [{i1: {set: {}}}]}
- j: {try: [{j1: {set: {}}}], catch: {do: [{j2: {set: {}}}]}}
- k: {fork: {branches: [{k1: {set: {}}}, {k2: {do: [{k3: {set: {}}}, {k4: {set: {}}}]}}]}}
""")
    assert shape(block) == [
        "a", "b", "c", "d", {"e": ["e1"]}, "f", "g", {"h": ["h1"]}, {"i": ["i1"]}, {"j": ["j1", "catch", "j2"]},
        {"k": {"k1": ["k1"], "k2": ["k3", "k4"]}},
    ]  # fmt: skip
    assert [node.calls for node in block.nodes][:1] == ["x"]
    assert next(node for node in block.nodes if node.name == "f").calls == "w:1.0.0"


def test_ways_that_meet_again_are_columns() -> None:
    assert shape(
        read("""
- how: {switch: [{small: {when: .a, then: small-one}}, {large: {then: large-one}}, {none: {when: .b, then: after}}]}
- small-one: {set: {}, then: after}
- large-one: {set: {}}
- large-two: {set: {}}
- after: {set: {}}
""")
    ) == [{"how": {"small": ["small-one"], "large": ["large-one", "large-two"], "none": []}}, "after"]


def test_a_switch_without_a_default_has_an_otherwise() -> None:
    assert shape(
        read("""
- how: {switch: [{stop: {when: .a, then: end}}]}
- after: {set: {}}
""")
    ) == [{"how": {"stop > end": [], "": ["after"]}}]


def test_a_switch_inside_a_way_has_its_own_columns() -> None:
    assert shape(
        read("""
- one: {switch: [{a: {when: .a, then: two}}, {b: {then: last}}]}
- two: {switch: [{c: {when: .c, then: three}}, {d: {then: last}}]}
- three: {set: {}}
- last: {set: {}}
""")
    ) == [{"one": {"a": [{"two": {"c": ["three"], "d": []}}], "b": []}}, "last"]


def test_a_way_back_says_where_it_leads() -> None:
    assert shape(
        read("""
- look: {call: x}
- done: {switch: [{over: {when: .a, then: exit}}, {not-yet: {then: pause}}]}
- pause: {wait: {seconds: 1}, then: look}
""")
    ) == ["look", {"done": {"over > exit": [], "not-yet": ["pause > look"]}}]


def test_a_way_in_the_middle_may_have_a_switch_that_leads_behind_all() -> None:
    assert shape(
        read("""
- one: {switch: [{a: {when: .a, then: two}}, {b: {then: four}}]}
- two: {switch: [{c: {when: .c, then: three}}, {d: {then: last}}]}
- three: {set: {}, then: last}
- four: {set: {}}
- last: {set: {}}
""")
    ) == [{"one": {"a": [{"two": {"c": ["three"], "d": []}}], "b": ["four"]}}, "last"]


def test_ways_that_cross_are_not_drawn_as_columns_but_named() -> None:
    assert shape(
        read("""
- how: {switch: [{a: {when: .a, then: one}}, {b: {then: two}}]}
- one: {set: {}, then: three}
- two: {set: {}, then: one}
- three: {set: {}}
""")
    ) == [{"how": {"a": [], "b > two": []}}, "one > three", "two > one", "three"]


def test_two_cases_may_lead_to_the_same_way() -> None:
    assert shape(
        read("""
- how: {switch: [{a: {when: .a, then: one}}, {b: {when: .b, then: one}}, {c: {then: two}}]}
- one: {set: {}}
- two: {set: {}}
""")
    ) == [{"how": {"a": ["one"], "b > one": [], "c": []}}, "two"]


@pytest.mark.parametrize("flow", [[(1, 2), (2,), (3,)], [(2,), (1,), (3,)], [(3,), (2,), (3,)], [(0,)], [(-1,), (2,)]])
def test_looking_for_a_meeting_place_always_ends_inside_the_list(flow: list[tuple[int, ...]]) -> None:
    assert 0 <= ways.meet(flow, 0, len(flow)) <= len(flow)


def _tasks(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            found.append(value)
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    look(items)
    return found


def _children(document: dict[str, Any]) -> dict[str, str]:
    space = document["document"]["namespace"]
    names = [each["run"]["workflow"]["name"] for each in _tasks(document["do"]) if "run" in each]
    return {f"workflow:{space}/{name}:latest": "1.0.0" for name in names}
