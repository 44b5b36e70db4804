"""Forms from schemas: what is shown is what is posted, and what is posted is what the schema judges."""

from typing import Any

import pytest

from actions import schemas
from workflows import forms

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["z", "items"],
    "properties": {
        "a": {"type": ["string", "null"]},
        "z": {"type": "string"},
        "n": {"type": "integer"},
        "on": {"type": "boolean", "default": True},
        "maybe": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
        "pick": {"enum": ["x", 1, None]},
        "password": {"type": "string"},
        "who": {"$ref": "#/$defs/who"},
        "items": {"type": "array", "items": {"type": "integer"}},
        "free": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "a/b~c": {"type": "string"},
    },
    "$defs": {"who": {"type": "object", "properties": {"id": {"type": "string"}, "next": {"$ref": "#/$defs/who"}}}},
}


def parse(**data: str) -> Any:
    return forms.parse(SCHEMA, {name.replace("__", "/"): value for name, value in data.items()}).value


def test_required_fields_come_first_in_the_order_that_required_gives() -> None:
    assert [child.name for child in forms.build(SCHEMA, forms.MISSING).children][:2] == ["/z", "/items"]


def test_blank_optional_fields_are_left_out_and_untouched_objects_too() -> None:
    assert parse() == {"on": False, "items": []}


def test_numbers_choices_and_booleans_become_json() -> None:
    value = parse(__n="12", __on="true", __maybe="1.5", __pick="1")
    assert value == {"n": 12, "on": True, "maybe": 1.5, "pick": 1, "items": []}


@pytest.mark.parametrize("text", ["1e999", "NaN", "0x10", "1_000", "true", "9" * 30, "1 2"])
def test_a_number_that_is_none_reaches_the_schema_as_text(text: str) -> None:
    value = parse(__z="z", __n=text)
    assert value["n"] == text
    assert [problem.pointer for problem in schemas.problems(SCHEMA, value)] == ["/n"]


def test_pointers_are_escaped_both_ways() -> None:
    assert forms.parse(SCHEMA, {"/a~1b~0c": "x"}).value["a/b~c"] == "x"


def test_a_json_field_takes_any_value_and_names_what_is_not_json() -> None:
    assert parse(__free='{"a": [1]}')["free"] == {"a": [1]}
    posted = forms.parse(SCHEMA, {"/free": '{"a": 1, "a": 2}'})
    assert [problem.pointer for problem in posted.problems] == ["/free"]


@pytest.mark.parametrize(("count", "expected"), [("2", 2), ("-1", 0), ("x", 0), ("99999", 0), ("999", 100), ("²", 0)])
def test_a_forged_count_makes_no_endless_list(count: str, expected: int) -> None:
    assert len(forms.parse(SCHEMA, {"count:/items": count}).value["items"]) == expected


def test_recursion_ends_in_a_json_field() -> None:
    field = next(child for child in forms.build(SCHEMA, forms.MISSING).children if child.name == "/who")
    for _ in range(forms.MAX_DEPTH):
        field = field.children[-1] if field.children else field
    assert field.widget == "json"


def test_a_secret_is_typed_blind_and_a_mask_is_never_a_value() -> None:
    root = forms.build(SCHEMA, {"password": "•••", "z": "a"})
    field = next(child for child in root.children if child.name == "/password")
    assert (field.widget, field.text) == ("secret", "")
    assert forms.without_masked({"a": "•••", "b": ["•••", 1], "c": {"d": "•••"}}) == {"b": [1], "c": {}}


def test_problems_stand_at_their_fields_and_the_others_are_not_lost() -> None:
    value = {"n": "x", "items": ["y"], "other": 1}
    problems = schemas.problems({**SCHEMA, "additionalProperties": False}, value)
    root = forms.build(SCHEMA, value, problems)
    by_name = {child.name: child for child in root.children}
    assert by_name["/n"].errors
    assert by_name["/z"].errors
    assert by_name["/items"].items[0].errors
    assert [problem.pointer for problem in forms.loose_problems(root, problems)] == ["/other"]


def test_a_form_round_trips_what_it_shows() -> None:
    value = {"z": "a\nb", "n": 3, "on": True, "items": [1, 2], "who": {"id": "u"}, "pick": None, "free": {"k": 1}}
    posted: dict[str, str] = {}

    def fill(field: forms.Field) -> None:
        if field.widget == "array":
            posted[f"count:{field.name}"] = str(len(field.items))
        elif field.widget == "checkbox" and field.checked:
            posted[field.name] = "true"
        elif field.widget not in {"object", "checkbox"}:
            posted[field.name] = field.text
        for child in (*field.children, *field.items):
            fill(child)

    fill(forms.build(SCHEMA, value))
    assert forms.parse(SCHEMA, posted).value == value


def test_a_value_of_another_shape_than_the_schema_is_shown_without_failing() -> None:
    shapes: list[Any] = [None, [], "x", {"items": {"a": 1}, "who": [1], "n": {"a": 1}, "on": "x", "pick": [1]}]
    for value in shapes:
        assert forms.build(SCHEMA, value).widget == "object"
