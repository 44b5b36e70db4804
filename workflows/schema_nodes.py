"""What a subschema means to people: references and wrappings followed, `null` apart, and whether fields can show it."""

from typing import Any

from actions.sensitive import is_sensitive_name

Schema = dict[str, Any]

MAX_DEPTH = 5
SCALARS = frozenset(["string", "number", "integer", "boolean"])
NULL: Schema = {"type": "null"}
# What only the schema itself can judge: a form would have to know which alternative is meant.
CHOOSING = ("oneOf", "anyOf", "allOf", "if", "not", "prefixItems", "patternProperties", "dependentSchemas")


def resolve(root: Schema, schema: Any) -> tuple[Schema, str]:
    """Return the subschema that is meant (references followed, `null` taken out of alternatives) and its type."""
    node = _unwrapped(root, schema)
    if "const" in node and "enum" not in node:
        node = {**node, "enum": [node["const"]]}
    kinds = node.get("type", "")
    if isinstance(kinds, list):
        named = [kind for kind in kinds if kind != "null"]
        kinds = named[0] if len(named) == 1 else ""
    return node, str(kinds) or _implied(node)


def nullable(root: Schema, schema: Any) -> bool:
    """Tell whether a subschema says that `null` is a value."""
    node = schema if isinstance(schema, dict) else {}
    for _ in range(MAX_DEPTH):
        kinds = node.get("type")
        if kinds == "null" or (isinstance(kinds, list) and "null" in kinds) or None in _listed(node.get("enum")):
            return True
        if any(part == NULL for key in ("anyOf", "oneOf") for part in _listed(node.get(key))):
            return True
        inner = _local(root, str(node["$ref"])) if "$ref" in node else _single(node)
        if inner is None:
            return False
        node = inner
    return False


def free(node: Schema, kind: str, depth: int) -> bool:
    """Tell whether a value can only be written as JSON."""
    if depth > MAX_DEPTH or any(key in node for key in CHOOSING):
        return True
    if kind == "object":
        return not isinstance(node.get("properties"), dict) or not node["properties"]
    if kind == "array":
        return not isinstance(node.get("items"), dict) or not node["items"]
    return "enum" not in node and kind not in SCALARS


def takes_others(node: Schema) -> bool:
    """Tell whether an object may have more than its named properties."""
    return node.get("additionalProperties", True) is not False


def in_order(node: Schema) -> list[tuple[str, Any]]:
    """Return the properties, required ones first in the order in which `required` names them.

    The database does not keep the order of an object's keys, but that of a list.
    """
    place = {key: index for index, key in enumerate(node.get("required", []))}
    return sorted(node["properties"].items(), key=lambda item: place.get(item[0], len(place)))


def is_secret(node: Schema, name: str) -> bool:
    """Tell whether a value is not shown while it is typed."""
    last = name.rpartition("/")[2]
    return bool(node.get("x-sensitive") or node.get("writeOnly")) or is_sensitive_name(last)


def _unwrapped(root: Schema, schema: Any) -> Schema:
    node = schema if isinstance(schema, dict) else {}
    for _ in range(MAX_DEPTH):
        if "$ref" in node:
            inner: Schema | None = _local(root, str(node["$ref"]))
            gone: tuple[str, ...] = ("$ref",)
        else:
            inner, gone = _single(node), ("anyOf", "oneOf", "allOf")
        if inner is None:
            break
        node = {**inner, **{key: value for key, value in node.items() if key not in gone}}
    return node


def _single(node: Schema) -> Schema | None:
    """Return the one schema that is meant by alternatives of which all others are `null`, or by a list of one."""
    for key in ("anyOf", "oneOf", "allOf"):
        choices = [part for part in _listed(node.get(key)) if key == "allOf" or part != NULL]
        others = [each for each in ("anyOf", "oneOf", "allOf") if each != key and each in node]
        if len(choices) == 1 and isinstance(choices[0], dict) and not others:
            return choices[0]
    return None


def _local(root: Schema, reference: str) -> Schema:
    node: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        node = node.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(node, dict) else {}
    return node if isinstance(node, dict) else {}


def _implied(node: Schema) -> str:
    """Return the type that the keywords of a subschema without `type` are about."""
    if "enum" in node or any(key in node for key in CHOOSING):
        return ""
    return "object" if isinstance(node.get("properties"), dict) else "array" if "items" in node else ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
