from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actions import fixed, schemas, sensitive

SECRET = {"type": "string", "x-sensitive": True}
SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object"},
    {"properties": {"a": SECRET}, "required": ["a"]},
    {"properties": {"a": {"type": "string", "x-sensitive": False}}},
    {"anyOf": [{"type": "null"}, {"properties": {"b": SECRET}}]},
    {"prefixItems": [{}, SECRET]},
    {"$defs": {"s": SECRET}, "properties": {"a": {"$ref": "#/$defs/s"}}},
    {"properties": {"tree": {"$ref": "#"}, "b": SECRET}},
    {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False},
    {"additionalProperties": {"additionalProperties": SECRET}},
    {"enum": [{"x-sensitive": True}]},
]
names = st.sampled_from(["a", "b", "tree", "token", "apiKey", "db_password", "pin", "monkey"])
leaves = st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "x", "canary"])
values = st.recursive(leaves, lambda part: st.lists(part, max_size=3) | st.dictionaries(names, part, max_size=3))


@given(st.sampled_from(SCHEMAS), values)
def test_what_is_remembered_of_a_schema_says_the_same_as_looking_at_it_each_time(schema: Any, value: Any) -> None:
    assert fixed.sensitive_values(schema, value) == sensitive.sensitive_values(schema, value)
    assert fixed.problems(schema, value) == schemas.problems(schema, value)


def test_a_schema_is_not_taken_for_another_one_that_was_at_its_place_in_memory() -> None:
    for number in range(2 * fixed.REMEMBERED):
        assert fixed.problems({"const": number}, number) == []
        assert fixed.problems({"const": number}, -1) != []
        assert fixed.sensitive_values({"properties": {"a": {"x-sensitive": number % 2 == 0}}}, {"a": "x1"}) == (
            {"x1"} if number % 2 == 0 else set()
        )
    assert len(fixed._known) <= fixed.REMEMBERED
