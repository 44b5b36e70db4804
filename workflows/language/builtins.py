"""Functions that the engine's own worker executes, in the transaction of the checkpoint.

They look like any other function of the catalog: `call: datastore.set`, a version, an input schema. The schemas use
the keywords that `tiny_schema` checks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.language import tiny_schema

VERSION = "1.0.0"
NAMESPACE = {"type": "string", "minLength": 1, "maxLength": 63, "title": "Group of entries; `default` if absent"}
KEY = {"type": "string", "minLength": 1, "maxLength": 255, "title": "Name of the entry"}
TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
ANYTHING: Mapping[str, Any] = {}


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
        return list(tiny_schema.problems(self.input_schema(version), value))

    def problems(self, value: Any) -> list[str]:
        """Return what is wrong with the arguments, one sentence each."""
        return [f"{pointer or '/'} {message}" for pointer, message in self.check_input(VERSION, value)]

    def undo(self, version: str) -> str:
        """Return an empty text: what a built-in function did stays."""
        del version
        return ""


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _entry(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the schema of a function that works on one entry of the datastore."""
    return _object({"key": KEY, **required}, {"namespace": NAMESPACE, **(optional or {})})


DATASTORE: Mapping[str, Any] = {
    "datastore.get": _entry({}, {"default": ANYTHING}),
    "datastore.set": _entry({"value": ANYTHING}),
    "datastore.merge": _entry({"value": {"type": "object"}}),
    "datastore.delete": _entry({}),
    "datastore.incr": _entry({}, {"by": {"type": "number"}, "initial": {"type": "number"}}),
    "datastore.cas": _entry({"value": ANYTHING, "version": {"type": "integer", "minimum": 0}}),
    "datastore.list": _object(
        {},
        {
            "namespace": NAMESPACE,
            "prefix": {"type": "string", "maxLength": 255},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
            "after": {"type": "string", "maxLength": 255},
        },
    ),
}

NAMES = {"type": "array", "items": TEXT}
APPROVAL = _object(
    {"title": {"type": "string", "minLength": 1, "maxLength": 200}},
    {
        "description": {"type": "string", "maxLength": 10_000},
        "assignees": _object({}, {"users": NAMES, "groups": NAMES}),
        "form": {"type": "object", "title": "JSON Schema of what the person fills in"},
        "dueIn": {"format": "duration"},
    },
)
MAP = _object(
    {"items": {"type": "array"}, "workflow": _object({"name": TEXT}, {"namespace": TEXT, "version": TEXT})},
    {
        "maxConcurrency": {"type": "integer", "minimum": 1, "maximum": 1000},
        "onError": {"type": "string", "enum": ["fail", "collect"]},
    },
)

BUILTINS: Mapping[str, Builtin] = {
    name: Builtin(name, schema)
    for name, schema in {
        **DATASTORE,
        "approval": APPROVAL,
        "map": MAP,
        "wait-until": _object({"at": {"type": "string", "format": "date-time"}}),
        "saga.compensate": _object({}),
    }.items()
}
