"""JSON Schema 2020-12, and the one door to jsonschema-rs: nothing is fetched, nothing stalls, no keyword is ignored.

Beside whole schemas, a shorthand is understood: `{"email": "string", "age?": "integer", "tags": "string[]"}`. It is an
object whose values are type names (or shorthand objects); `?` after a name makes the field optional.
An object with a `$` key, or whose `type` names a JSON type, is always read as a schema.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

import jsonschema_rs

from actions.limits import check_value
from actions.problems import Problem, pointer

Schema = dict[str, Any]

TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")
# Only formats that the validator really asserts: an unknown one would be accepted and not enforced.
FORMATS = frozenset(
    [
        "date",
        "date-time",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "idn-hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "iri",
        "iri-reference",
        "uuid",
        "json-pointer",
        "relative-json-pointer",
        "regex",
        "uri-template",
    ]
)
ASSERTIONS = frozenset(
    [
        "type",
        "enum",
        "const",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "format",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxContains",
        "minContains",
        "maxProperties",
        "minProperties",
        "required",
        "dependentRequired",
    ]
)
ANNOTATIONS = frozenset(
    ["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema"]
)
ONE = frozenset(
    [
        "not",
        "if",
        "then",
        "else",
        "items",
        "contains",
        "additionalProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)
MANY = frozenset(["allOf", "anyOf", "oneOf", "prefixItems"])
NAMED = frozenset(["properties", "patternProperties", "dependentSchemas", "$defs"])
KNOWN = ASSERTIONS | ANNOTATIONS | ONE | MANY | NAMED | {"$ref"}

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_BYTES = 64 * 1024
# The validator visits a schema once per use; references can multiply uses exponentially.
MAX_EXPANSION = 10_000
MAX_PROBLEMS = 100
# Above this many parts the validator's list of errors takes seconds to build: only the first one is reported.
MANY_PARTS = 2_000
MASK = "the value"


def normalise(schema: Mapping[str, Any] | None, *, closed: bool = True) -> Schema:
    """Return the schema that a schema or shorthand means; `closed` refuses fields the shorthand does not name.

    Raises ValueError for a shorthand with an unknown type name.
    """
    if schema is None:
        return {}
    if not isinstance(schema, Mapping):
        raise ValueError(f'{schema!r} is not a schema: use a JSON Schema or {{"email": "string"}}')  # noqa: TRY004
    return _shorthand(schema, closed) if is_shorthand(schema) else dict(schema)


def is_shorthand(schema: Mapping[str, Any]) -> bool:
    """Tell whether an object is the shorthand rather than a schema."""
    kind = schema.get("type")
    if not schema or any(key.startswith(("$", "x-")) for key in schema) or (isinstance(kind, str) and kind in TYPES):
        return False
    return all(
        isinstance(value, str) or (isinstance(value, Mapping) and is_shorthand(value)) for value in schema.values()
    )


def check_schema(schema: Any) -> list[Problem]:
    """Return everything that keeps a schema from being published; pointers lead into the schema."""
    if not isinstance(schema, dict):
        return [Problem("", "type", "is not an object: a schema is a JSON object")]
    if found := check_value(schema):
        return found
    size = len(json.dumps(schema, ensure_ascii=False).encode())
    if size > MAX_SCHEMA_BYTES:
        return [Problem("", "size", f"is {size} bytes long; {MAX_SCHEMA_BYTES} are allowed")]
    parts, found = _walk(schema)
    found += _reference_problems(parts)
    found += _meta_problems(schema, {problem.pointer for problem in found})
    if not found:
        found = _compile_problems(schema) or _expansion_problems(parts)
    return found[:MAX_PROBLEMS]


def validator(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return the compiled validator; the last 1,000 are kept. Raises SchemaError for what cannot be compiled."""
    return _validator(json.dumps(dict(schema), sort_keys=True))


def problems(schema: Mapping[str, Any], value: Any) -> list[Problem]:
    """Return all problems of a value, up to 100; the messages never contain the value."""
    if not schema:
        return []
    compiled = validator(schema)
    if compiled.is_valid(value):
        return []
    if _has_many_parts(value):
        return _first_problem(compiled, value)
    return [problem for error in islice(compiled.iter_errors(value), MAX_PROBLEMS) for problem in _explain(error)]


def _shorthand(schema: Mapping[str, Any], closed: bool) -> Schema:
    properties = {name.removesuffix("?"): _named_type(name, value, closed) for name, value in schema.items()}
    if len(properties) < len(schema):
        raise ValueError("a field is named twice: once with and once without `?`")
    result: Schema = {"type": "object", "properties": properties}
    if required := [name for name in schema if not name.endswith("?")]:
        result["required"] = required
    return {**result, "additionalProperties": False} if closed else result


def _named_type(name: str, value: Any, closed: bool) -> Schema:
    if isinstance(value, Mapping):
        return _shorthand(value, closed)
    if value == "any":
        return {}
    if value.endswith("[]"):
        return {"type": "array", "items": _named_type(name, value[:-2], closed)}
    if value in TYPES:
        return {"type": value}
    if value in FORMATS:
        return {"type": "string", "format": value}
    known = ", ".join([*TYPES, "any", *sorted(FORMATS)])
    raise ValueError(f"{name}: {value!r} is not a type; use one of {known}, or one of these with [] for a list")


def _children(schema: Schema) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the direct subschemas with their paths."""
    for key, value in schema.items():
        if key in ONE:
            yield (key,), value
        elif key in MANY and isinstance(value, list):
            yield from (((key, index), part) for index, part in enumerate(value))
        elif key in NAMED and isinstance(value, dict):
            yield from (((key, name), part) for name, part in value.items())


def _walk(schema: Schema) -> tuple[dict[str, Schema], list[Problem]]:
    """Return all subschemas by pointer, and what is wrong with their keywords."""
    parts: dict[str, Schema] = {}
    found: list[Problem] = []
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), schema)]
    while stack:
        path, part = stack.pop()
        if not isinstance(part, dict):  # `true` and `false` are schemas; anything else the meta-schema refuses
            parts[pointer(path)] = {}
            continue
        parts[pointer(path)] = part
        found.extend(_keyword_problems(path, part))
        stack.extend(((*path, *step), child) for step, child in _children(part))
    return parts, found


def _keyword_problems(path: tuple[str | int, ...], part: Schema) -> Iterator[Problem]:
    where = pointer(path)
    for key in part:
        if key not in KNOWN and not key.startswith("x-"):
            yield Problem(where + pointer([key]), "keyword", f"{key!r} is not a keyword that is enforced")
    if (given := part.get("format")) is not None and str(given) not in FORMATS:
        yield Problem(where + "/format", "format", f"{given!r} is not one of {', '.join(sorted(FORMATS))}")
    if str(part.get("$schema", DIALECT)).removesuffix("#") != DIALECT:
        yield Problem(where + "/$schema", "$schema", f"the dialect must be {DIALECT}")
    if not isinstance(part.get("x-sensitive", False), bool):
        yield Problem(where + "/x-sensitive", "x-sensitive", "must be true or false")


def _reference_problems(parts: dict[str, Schema]) -> list[Problem]:
    return [
        Problem(
            where + "/$ref", "$ref", f"{part['$ref']!r} is not a place in this schema: write #/$defs/... (local only)"
        )
        for where, part in parts.items()
        if "$ref" in part and _target(part["$ref"]) not in parts
    ]


def _target(reference: Any) -> str | None:
    """Return the pointer that a local reference names."""
    return reference[1:] if isinstance(reference, str) and reference.startswith("#") else None


def _meta_problems(schema: Schema, known: set[str]) -> list[Problem]:
    errors = islice(_validator(json.dumps({"$ref": DIALECT})).iter_errors(schema), MAX_PROBLEMS)
    found = [Problem(pointer(error.instance_path), error.kind.name, _schema_message(error)) for error in errors]
    return [problem for problem in dict.fromkeys(found) if problem.pointer not in known]


def _compile_problems(schema: Schema) -> list[Problem]:
    try:
        validator(schema)
    except SchemaError as error:
        return [Problem(error.pointer, error.rule, str(error))]
    return []


def _expansion_problems(parts: dict[str, Schema]) -> list[Problem]:
    try:
        if _expansion("", parts, {}) <= MAX_EXPANSION:
            return []
    except RecursionError:
        return [Problem("", "$ref", "its references form a chain that is too long")]
    return [Problem("", "$ref", f"its references multiply to more than {MAX_EXPANSION} checks of one value")]


def _expansion(where: str, parts: dict[str, Schema], known: dict[str, int]) -> int:
    """Count the subschemas that one value can meet, references followed; recursion counts once."""
    if where in known:
        return known[where]
    known[where] = 1
    part = parts.get(where, {})
    total = 1 + sum(
        _expansion(where + pointer(step), parts, known) for step, _ in _children(part) if step[0] != "$defs"
    )
    if (target := _target(part.get("$ref"))) is not None:
        total += _expansion(target, parts, known)
    known[where] = min(total, MAX_EXPANSION + 1)
    return known[where]


class SchemaError(ValueError):
    """A schema that does not compile, with the pointer to the place in it."""

    def __init__(self, where: str, rule: str, message: str) -> None:
        super().__init__(message)
        self.pointer, self.rule = where, rule


@lru_cache(maxsize=1_000)
def _validator(text: str) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(
            json.loads(text),
            retriever=_refuse,
            pattern_options=jsonschema_rs.RegexOptions(),
            validate_formats=True,
            mask=MASK,
        )
    except jsonschema_rs.ValidationError as error:
        raise SchemaError(pointer(error.instance_path), error.kind.name, _schema_message(error)) from None
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaError("", "schema", str(error)) from None


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not local; schemas are never fetched")


def _schema_message(error: jsonschema_rs.ValidationError) -> str:
    if error.kind.name == "format" and error.kind.as_dict()["format"] == "regex":
        return "is not a regular expression that runs in linear time (no look-around, no back-references)"
    if error.kind.name == "anyOf":
        return "is not one of the forms that JSON Schema allows here"
    return _plain(error)


def _has_many_parts(value: Any) -> bool:
    count, stack = 0, [value]
    while stack and count <= MANY_PARTS:
        item = stack.pop()
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        count += len(children)
        stack.extend(children)
    return count > MANY_PARTS


def _first_problem(compiled: jsonschema_rs.Draft202012Validator, value: Any) -> list[Problem]:
    try:
        compiled.validate(value)
    except jsonschema_rs.ValidationError as error:
        note = Problem("", "size", "is large: only the first problem is listed")
        return [*_explain(error), note]
    return []


def _explain(error: jsonschema_rs.ValidationError) -> Iterator[Problem]:
    """Say it per field: a missing or unknown field is a problem at that field, where a form can show it."""
    where, rule = pointer(error.instance_path), error.kind.name
    detail = error.kind.as_dict()
    if rule == "required":
        yield Problem(where + pointer([detail["property"]]), rule, "is required")
    elif rule == "additionalProperties":
        for name in detail["unexpected"]:
            yield Problem(where + pointer([name]), rule, "is not a field of this schema")
    else:
        yield Problem(where, rule, PHRASES.get(rule, _plain)(error))


def _plain(error: jsonschema_rs.ValidationError) -> str:
    return error.message.removeprefix(MASK + " ")


PHRASES: dict[str, Callable[[jsonschema_rs.ValidationError], str]] = {
    "anyOf": lambda _: "matches none of the allowed forms (anyOf)",
    "oneOf": lambda _: "must match exactly one of the allowed forms (oneOf)",
    "type": lambda error: f"must be of type {' or '.join(error.kind.as_dict()['types'])}",
    "format": lambda error: f"is not a valid {error.kind.as_dict()['format']}",
}
