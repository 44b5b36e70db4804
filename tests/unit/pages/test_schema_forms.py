"""Schemas as programs make them: what pydantic writes becomes fields, and what a form cannot know becomes JSON."""

import json
from typing import Any

import pytest

from actions import schemas
from workflows import forms
from workflows.schema_nodes import nullable, resolve
from workflows.views import schema_rows

# What pydantic 2 writes for a model of an order, shortened only where it repeats itself.
ORDER: dict[str, Any] = {
    "$defs": {
        "Address": {
            "properties": {
                "street": {"title": "Street", "type": "string"},
                "zip": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": "Zip"},
            },
            "required": ["street"],
            "title": "Address",
            "type": "object",
        },
        "Card": {
            "properties": {
                "kind": {"const": "card", "default": "card", "title": "Kind", "type": "string"},
                "number": {"format": "password", "title": "Number", "type": "string", "writeOnly": True},
            },
            "required": ["number"],
            "title": "Card",
            "type": "object",
        },
        "Invoice": {
            "properties": {"kind": {"const": "invoice", "title": "Kind", "type": "string"}},
            "required": ["kind"],
            "title": "Invoice",
            "type": "object",
        },
        "Line": {
            "properties": {
                "sku": {"title": "Sku", "type": "string"},
                "qty": {"default": 1, "exclusiveMinimum": 0, "title": "Qty", "type": "integer"},
            },
            "required": ["sku"],
            "title": "Line",
            "type": "object",
        },
        "Priority": {"enum": ["low", "high"], "title": "Priority", "type": "string"},
    },
    "properties": {
        "id": {"format": "uuid", "title": "Id", "type": "string"},
        "priority": {"$ref": "#/$defs/Priority"},
        "fallback": {"allOf": [{"$ref": "#/$defs/Priority"}], "default": "low"},
        "ship_to": {"$ref": "#/$defs/Address"},
        "bill_to": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}], "default": None},
        "pay": {
            "discriminator": {"mapping": {"card": "#/$defs/Card"}, "propertyName": "kind"},
            "oneOf": [{"$ref": "#/$defs/Card"}, {"$ref": "#/$defs/Invoice"}],
            "title": "Pay",
        },
        "lines": {"items": {"$ref": "#/$defs/Line"}, "title": "Lines", "type": "array"},
        "matrix": {
            "items": {"items": {"type": "integer"}, "type": "array"},
            "default": [],
            "title": "Matrix",
            "type": "array",
        },
        "pair": {
            "maxItems": 2,
            "minItems": 2,
            "prefixItems": [{"type": "number"}, {"type": "string"}],
            "title": "Pair",
            "type": "array",
        },
        "labels": {"additionalProperties": {"type": "string"}, "title": "Labels", "type": "object"},
        "price": {"anyOf": [{"type": "number"}, {"pattern": "^\\d+$", "type": "string"}], "title": "Price"},
        "gift": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": None, "title": "Gift"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Note"},
        "version": {"const": 2, "title": "Version", "type": "integer"},
        "any": {"title": "Any"},
    },
    "required": ["id", "priority", "ship_to", "pay", "lines", "note", "version"],
    "title": "Order",
    "type": "object",
}
VALUE: dict[str, Any] = {
    "id": "7b3a7c1e-3c1b-4a56-9c7e-0a5f9d1c2b3a",
    "priority": "high",
    "fallback": "low",
    "ship_to": {"street": "Main"},
    "pay": {"kind": "invoice"},
    "lines": [{"sku": "a", "qty": 2}, {"sku": "b", "qty": 1}],
    "matrix": [[1, 2], [3]],
    "labels": {"x": "y"},
    "note": None,
    "version": 2,
}


def widgets(schema: dict[str, Any], value: Any = forms.MISSING) -> dict[str, str]:
    return {child.name: child.widget for child in forms.build(schema, value).children}


def posted(field: forms.Field) -> dict[str, str]:
    """Return what a browser sends for a form that nobody touched."""
    found: dict[str, str] = {}
    if field.widget == "array":
        found[f"count:{field.name}"] = str(len(field.items))
    elif field.widget == "checkbox":
        found |= {field.name: "true"} if field.checked else {}
    elif field.widget != "object":
        text = field.text if field.widget == "textarea" else field.text.replace("\r", "").replace("\n", "")
        text = field.text if field.widget == "json" else text
        text = "" if field.widget == "select" and text not in dict(field.choices) else text
        found |= {field.name: text.replace("\r\n", "\n").replace("\n", "\r\n")}
        found |= {f"kept:{field.name}": "1"} if field.kept else {}
    found |= {f"was:{field.name}": field.was} if field.was is not None else {}
    for child in (*field.children, *field.items):
        found |= posted(child)
    return found


def test_each_property_of_a_model_is_a_field_or_json_of_its_own() -> None:
    assert widgets(ORDER) == {
        "/id": "text",
        "/priority": "select",
        "/fallback": "select",
        "/ship_to": "object",
        "/bill_to": "object",
        "/pay": "json",
        "/lines": "array",
        "/matrix": "array",
        "/pair": "json",
        "/labels": "json",
        "/price": "json",
        "/gift": "select",
        "/note": "text",
        "/version": "select",
        "/any": "json",
    }


def test_a_model_goes_through_the_form_and_back_unchanged() -> None:
    assert schemas.problems(ORDER, VALUE) == []
    assert forms.parse(ORDER, posted(forms.build(ORDER, VALUE))).value == VALUE


def test_a_required_value_that_may_be_null_is_null_when_it_is_left_blank() -> None:
    value = forms.parse(ORDER, {"/priority": '"low"'}).value
    assert value["note"] is None
    assert "gift" not in value
    assert "bill_to" not in value


def test_a_field_has_its_own_title_and_not_that_of_the_model_it_refers_to() -> None:
    titles = {child.name: child.title for child in forms.build(ORDER, forms.MISSING).children}
    assert (titles["/ship_to"], titles["/bill_to"], titles["/fallback"]) == ("Ship to", "Bill to", "Fallback")
    assert titles["/price"] == "Price"


def test_a_required_constant_is_chosen_already() -> None:
    field = next(child for child in forms.build(ORDER, forms.MISSING).children if child.name == "/version")
    assert (field.text, field.choices) == ("2", [("2", "2")])


def test_a_truth_that_may_stay_open_is_no_checkbox() -> None:
    assert forms.parse(ORDER, {"/gift": "false"}).value["gift"] is False
    assert "gift" not in forms.parse(ORDER, {"/gift": ""}).value


def test_what_has_no_field_of_its_own_is_not_lost() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    value = {"a": "1", "b": {"c": [2]}, "d": None}
    assert widgets(schema, value) == {"/a": "text", "others:": "json"}
    assert forms.parse(schema, posted(forms.build(schema, value))).value == value
    assert widgets(schema, {"a": "1"}) == {"/a": "text"}


# What controls cannot say: many items, line ends, nothing against absent, null against nothing, other types.
INEXACT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ids": {"type": "array", "items": {"type": "integer"}},
        "note": {"type": "string"},
        "opt": {"type": "string"},
        "n": {"type": ["integer", "null"]},
        "on": {"type": "boolean", "default": True},
        "who": {"type": ["object", "null"], "properties": {"id": {"type": "string"}, "key": {"type": "string"}}},
        "list": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
        "at": {"type": "string", "format": "time"},
        "mail": {"type": "string", "format": "email"},
        "size": {"type": "number"},
        "pick": {"enum": ["x", "y"]},
        "password": {"type": "string"},
    },
}
KEPT: list[Any] = [
    {"ids": list(range(250)), "note": "a\r\nb", "opt": "", "n": None},
    {"note": "\na", "opt": "a\rb", "on": False, "who": None, "list": None},
    {"on": None, "who": {}, "list": [], "at": "10:20:30Z", "mail": " a@example.com "},
    {"who": {"id": "", "more": [1]}, "list": ["", None, "a\r\n"], "size": 1.0, "n": 1.0, "pick": "z"},
    {"who": [1], "list": {"a": 1}, "note": 5, "n": "12", "ids": [True, 1], "size": True, "opt": None, "at": ""},
    {"password": "•••", "who": {"key": "•••"}, "list": [None]},
]


@pytest.mark.parametrize("value", KEPT)
def test_an_untouched_form_changes_nothing(value: dict[str, Any]) -> None:
    read = forms.parse(INEXACT, posted(forms.build(INEXACT, value)))
    assert json.dumps(read.value, sort_keys=True) == json.dumps(value, sort_keys=True)
    assert read.problems == []


@pytest.mark.parametrize("value", KEPT)
def test_what_is_typed_into_one_control_changes_no_other(value: dict[str, Any]) -> None:
    data = posted(forms.build(INEXACT, value)) | {"/opt": "typed"}
    assert json.dumps(forms.parse(INEXACT, data).value, sort_keys=True) == json.dumps(
        {**value, "opt": "typed"}, sort_keys=True
    )


def test_a_control_that_was_emptied_is_left_out_and_not_what_it_was() -> None:
    data = posted(forms.build(INEXACT, {"note": "a\r\nb", "ids": list(range(250)), "size": 1.0}))
    assert forms.parse(INEXACT, data | {"/note": "", "/ids": "[1]", "/size": "2"}).value == {"ids": [1], "size": 2}


def test_an_item_that_was_just_added_is_what_its_controls_say() -> None:
    schema = {
        "type": "object",
        "properties": {"l": {"type": "array", "items": {"type": "object", "properties": {"b": {"default": 1}}}}},
    }
    added = forms.commanded({"l": []}, "add:/l")
    assert forms.parse(schema, posted(forms.build(schema, added))).value == {"l": [{"b": 1}]}


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[" * 5000, "\udc00", "null", "1e999"])
def test_a_forged_former_value_is_no_error_and_replaces_nothing_typed(text: str) -> None:
    data = {f"was:/{name}": text for name in INEXACT["properties"]} | {"/note": "typed", "/opt": "x"}
    value = forms.parse(INEXACT, data).value
    assert (value["note"], value["opt"]) == ("typed", "x")


def test_other_fields_are_offered_where_the_schema_types_them_and_never_replace_a_field() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "integer"}}
    assert widgets(schema) == {"/a": "text", "others:": "json"}
    assert forms.parse(schema, {"/a": "1", "others:": '{"a": 2, "b": 3}'}).value == {"a": "1", "b": 3}
    assert [problem.pointer for problem in forms.parse(schema, {"others:": "[1]"}).problems] == ["others:"]


def test_a_closed_object_takes_no_other_fields() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    assert forms.parse(schema, {"/a": "1", "others:": '{"b": 3}'}).value == {"a": "1"}


def test_a_list_with_a_default_can_be_emptied() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}, "default": ["x"]}}}
    assert forms.parse(schema, {"count:/a": "0"}).value == {"a": []}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"properties": {"a": {}}}, "object"),
        ({"items": {"type": "string"}}, "array"),
        ({"type": ["integer", "null"]}, "integer"),
        ({"type": ["integer", "string"]}, ""),
        ({"oneOf": [{"type": "null"}, {"type": "string"}]}, "string"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, ""),
        ({"$ref": "#/$defs/missing"}, ""),
        ({"$ref": "https://example.com/other.json"}, ""),
        (True, ""),
    ],
)
def test_the_type_of_a_schema_is_told_or_left_open(schema: Any, kind: str) -> None:
    assert resolve({}, schema)[1] == kind


def test_a_reference_to_itself_ends() -> None:
    root = {"$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert resolve(root, {"$ref": "#/$defs/a"})[1] == ""
    assert not nullable(root, {"$ref": "#/$defs/a"})


def test_a_schema_is_a_table_of_its_values() -> None:
    rows = {row.path: row for row in schema_rows.rows(ORDER)}
    assert rows["ship_to.street"].required
    assert rows["lines[].qty"].rules == "> 0, default 1"
    assert rows["lines"].kind == "list of object"
    assert rows["matrix"].kind == "list of list of integer"
    assert rows["priority"].kind == '"low" | "high"'
    assert rows["price"].kind == "number | string"
    assert rows["version"].kind == "2"
    assert rows["bill_to"].about == ""
    assert schema_rows.rows({}) == []


def test_the_table_of_a_schema_that_contains_itself_ends() -> None:
    tree = {"$ref": "#/$defs/t", "$defs": {"t": {"type": "object", "properties": {"next": {"$ref": "#/$defs/t"}}}}}
    assert len(schema_rows.rows(tree)) == schema_rows.DEEPEST
