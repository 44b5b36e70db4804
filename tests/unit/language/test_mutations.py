"""Whatever a document says: it has problems, or it can be locked and built. Never an exception, never a gap."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.language.support import Actions, problems
from tests.unit.language.test_whole_language import EVERYTHING
from workflows.language import build, load, lock_functions

WHOLE = load(EVERYTHING)
VALUES: list[Any] = [
    None,
    True,
    0,
    1,
    -1,
    1.5,
    "",
    "x",
    "end",
    "${ . }",
    "${ $item }",
    "PT1S",
    "latest",
    [],
    [None],
    {},
]
VALUES += [{"a": 1}, {"": None}, [{"a": {"set": {}}}], [{"a": None}], {"use": "crm"}, {"after": "PT1S"}, {"with": {}}]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) of everything inside a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(inside):
        yield value, key
        yield from places(item)


def mutate(document: dict[str, Any], data: st.DataObject) -> None:
    found = list(places(document))
    container, key = found[data.draw(st.integers(0, len(found) - 1))]
    way = data.draw(st.sampled_from(["drop", "replace", "move", "rename"]))
    if way == "drop":
        del container[key]
    elif way == "replace":
        container[key] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
    elif way == "move":
        other, place = found[data.draw(st.integers(0, len(found) - 1))]
        container[key] = copy.deepcopy(other[place])
    elif isinstance(container, dict):
        container[data.draw(st.sampled_from(["name", "do", "for", "call", "with", "x"]))] = container.pop(key)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_document_has_problems_or_can_be_built(data: st.DataObject) -> None:
    document = copy.deepcopy(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(document, data)
    if not problems(document):
        program = build(document, lock_functions(document, Actions()))
        assert len(program.by_ref) == len({task.ref for task in program.by_ref.values()})
