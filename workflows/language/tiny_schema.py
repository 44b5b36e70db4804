"""The few keywords of JSON Schema that the built-in functions need, so that the language depends on no library."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from workflows.language import durations

Found = Iterator[tuple[str, str]]


def problems(schema: Mapping[str, Any], value: Any, pointer: str = "") -> Found:
    """Yield (pointer, message) of everything that is wrong with a value."""
    kind = schema.get("type")
    if kind and not TYPES[kind](value):
        yield pointer, f"must be of type {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield pointer, "must be one of " + ", ".join(schema["enum"])
    if "format" in schema:
        yield from _format_problems(schema["format"], value, pointer)
    if isinstance(value, str):
        yield from _text_problems(schema, value, pointer)
    elif _is_number(value):
        yield from _number_problems(schema, value, pointer)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from problems(schema["items"], item, f"{pointer}/{index}")
    elif isinstance(value, dict) and "properties" in schema:
        yield from _member_problems(schema, value, pointer)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def _text_problems(schema: Mapping[str, Any], value: str, pointer: str) -> Found:
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if not shortest <= len(value) <= longest:
        yield pointer, f"must have {shortest} to {longest} characters"


def _number_problems(schema: Mapping[str, Any], value: float, pointer: str) -> Found:
    if value < schema.get("minimum", value):
        yield pointer, f"must be {schema['minimum']} or more"
    if value > schema.get("maximum", value):
        yield pointer, f"must be {schema['maximum']} or less"


def _member_problems(schema: Mapping[str, Any], value: Mapping[str, Any], pointer: str) -> Found:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{pointer}/{name}", "is required"
    for name, item in value.items():
        if name in schema["properties"]:
            yield from problems(schema["properties"][name], item, f"{pointer}/{name}")
        else:
            yield f"{pointer}/{name}", "is not a field of this function"


def _format_problems(name: str, value: Any, pointer: str) -> Found:
    try:
        if name == "duration":
            durations.parse(value)
        elif not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is None:
            yield pointer, "must be a moment with its zone, such as 2030-01-31T08:00:00Z"
    except durations.DurationError as error:
        yield pointer, f"is wrong: {error}"
    except ValueError:
        yield pointer, "must be a moment with its zone, such as 2030-01-31T08:00:00Z"
