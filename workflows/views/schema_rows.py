"""A JSON Schema as a table: a row for each value, with what it may be in words."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from actions.sensitive import is_sensitive_name
from workflows import schema_nodes

DEEPEST, MOST_ROWS = 5, 200
LONGEST = 120
BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "pattern": "/{}/",
}


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """A value: where it stands, what type it has, what else is asked of it, and what it is for."""

    path: str
    depth: int
    kind: str
    required: bool
    rules: str
    about: str


def rows(schema: Any) -> list[SchemaRow]:
    """Return the rows of a schema, the first 200; what is too deep or has alternatives is one row."""
    root = schema if isinstance(schema, dict) else {}
    found: list[SchemaRow] = []
    for row in _inside(root, root, "", 0):
        found.append(row)
        if len(found) == MOST_ROWS:
            break
    return found


def _inside(root: dict[str, Any], schema: Any, path: str, depth: int) -> Iterator[SchemaRow]:
    node, kind = schema_nodes.resolve(root, schema)
    if depth >= DEEPEST:
        return
    if kind == "array":
        yield from _inside(root, node.get("items", {}), f"{path}[]", depth)
    properties = node.get("properties")
    if isinstance(properties, dict):
        needed = node.get("required", [])
        for key, part in schema_nodes.in_order(node):
            yield _row(root, part, f"{path}.{key}" if path else key, depth, required=key in needed)
            yield from _inside(root, part, f"{path}.{key}" if path else key, depth + 1)


def _row(root: dict[str, Any], schema: Any, path: str, depth: int, *, required: bool) -> SchemaRow:
    node, kind = schema_nodes.resolve(root, schema)
    return SchemaRow(
        path=path,
        depth=depth,
        kind=_kind(root, node, kind),
        required=required,
        rules=_rules(node, path),
        about=_about(schema, node, path),
    )


def _about(schema: Any, node: dict[str, Any], path: str) -> str:
    """Return title and description; not the title of a model that it refers to, nor one that only repeats the name."""
    title = str(schema.get("title", "")) if isinstance(schema, dict) else ""
    named = title.lower().replace(" ", "_") == path.rpartition(".")[2].lower()
    return ": ".join(filter(None, ("" if named else title, str(node.get("description", "")))))


def _kind(root: dict[str, Any], node: dict[str, Any], kind: str) -> str:
    if "const" in node:
        return _json(node["const"])
    if "enum" in node:
        return " | ".join(_json(each) for each in node["enum"][:12])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in node:
            kinds = [_kind(root, *schema_nodes.resolve(root, part)) for part in node[key]]
            return (" & " if key == "allOf" else " | ").join(dict.fromkeys(kinds))
    if kind == "array":
        inner, inner_kind = schema_nodes.resolve(root, node.get("items", {}))
        return _("list of %(kind)s") % {"kind": _kind(root, inner, inner_kind)}
    shape = node.get("format")
    return f"{kind} ({shape})" if shape else kind or _("anything")


def _rules(node: dict[str, Any], path: str) -> str:
    found = [text.format(node[key]) for key, text in BOUNDS.items() if key in node]
    if "minLength" in node or "maxLength" in node:
        found.append(_("length %(range)s") % {"range": _range(node.get("minLength"), node.get("maxLength"))})
    if "minItems" in node or "maxItems" in node:
        found.append(_("items %(range)s") % {"range": _range(node.get("minItems"), node.get("maxItems"))})
    if "default" in node:
        found.append(_("default %(value)s") % {"value": _json(node["default"])})
    if node.get("x-sensitive") or node.get("writeOnly") or is_sensitive_name(path.rpartition(".")[2]):
        found.append(_("masked"))
    if node.get("additionalProperties") is False:
        found.append(_("no others"))
    return ", ".join(found)


def _range(least: Any, most: Any) -> str:
    return f"{least if least is not None else 0} to {most}" if most is not None else f"≥ {least}"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
