"""Functions that the engine's own worker executes, in the transaction of the checkpoint: the datastore.

They look like any other function of the catalog: `call: datastore.set`, a version, an input schema. The schemas use
the few keywords that are checked below, so that the language needs no schema library.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VERSION = "1.0.0"
NAMESPACE = {"type": "string", "minLength": 1, "maxLength": 63, "title": "Group of entries; `default` if absent"}
KEY = {"type": "string", "minLength": 1, "maxLength": 255, "title": "Name of the entry"}
ANYTHING: Mapping[str, Any] = {}
KINDS: Mapping[str, type] = {"string": str, "object": dict}


@dataclass(frozen=True, slots=True)
class Builtin:
    """A built-in function; it has one version."""

    name: str
    schema: Mapping[str, Any]

    @property
    def versions(self) -> tuple[str, ...]:
        """Return the published versions, newest first."""
        return (VERSION,)

    def input_schema(self, version: str) -> Mapping[str, Any]:
        """Return the JSON Schema of the arguments."""
        del version  # there is one
        return self.schema

    def check_input(self, version: str, value: Any) -> list[tuple[str, str]]:
        """Return (pointer, message) of everything that is wrong with the arguments."""
        return list(_problems(self.input_schema(version), value, ""))

    def problems(self, value: Any) -> list[str]:
        """Return what is wrong with the arguments, one sentence each."""
        return [f"{pointer or '/'} {message}" for pointer, message in self.check_input(VERSION, value)]


def _arguments(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"namespace": NAMESPACE, "key": KEY, **properties},
        "required": ["key", *(name for name in properties if name not in optional)],
        "additionalProperties": False,
    }


BUILTINS: Mapping[str, Builtin] = {
    builtin.name: builtin
    for builtin in (
        Builtin("datastore.get", _arguments({"default": ANYTHING}, "default")),
        Builtin("datastore.set", _arguments({"value": ANYTHING})),
        Builtin("datastore.merge", _arguments({"value": {"type": "object"}})),
    )
}


def _problems(schema: Mapping[str, Any], value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    kind = schema.get("type")
    if kind and not isinstance(value, KINDS[kind]):
        yield pointer, f"must be of type {kind}"
    elif kind == "string":
        yield from _text_problems(schema, value, pointer)
    elif "properties" in schema:
        yield from _member_problems(schema, value, pointer)


def _text_problems(schema: Mapping[str, Any], value: str, pointer: str) -> Iterator[tuple[str, str]]:
    shortest, longest = schema["minLength"], schema["maxLength"]
    if not shortest <= len(value) <= longest:
        yield pointer, f"must have {shortest} to {longest} characters"


def _member_problems(schema: Mapping[str, Any], value: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, str]]:
    for name in schema["required"]:
        if name not in value:
            yield f"{pointer}/{name}", "is required"
    for name, item in value.items():
        if name in schema["properties"]:
            yield from _problems(schema["properties"][name], item, f"{pointer}/{name}")
        else:
            yield f"{pointer}/{name}", "is not a field of this function"
