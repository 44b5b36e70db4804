"""A form from a JSON Schema, and the JSON value from the posted form.

The name of every control is the JSON pointer of its value, so a problem that the schema reports belongs to the control
of the same name. What a form cannot show well (alternatives, free objects, deep nesting) is a JSON field of its own;
the schema itself judges every value, so a form can never accept more than the API.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actions.problems import Problem, pointer
from actions.sensitive import MASK, is_sensitive_name
from dotdo_site.lib import strict_json

Schema = dict[str, Any]

MAX_DEPTH = 5
MAX_ITEMS = 100
LONG_TEXT = 200
MISSING: Any = object()
INPUT_TYPES = {"email": "email", "uri": "url", "date": "date", "time": "time"}
SCALARS = frozenset(["string", "number", "integer", "boolean"])


@dataclass(frozen=True)
class Field:
    """One control, or a group of them. `widget` names how it is shown."""

    name: str
    widget: str
    title: str
    kind: str
    required: bool = False
    help: str = ""
    text: str = ""
    checked: bool = False
    input_type: str = "text"
    choices: Sequence[tuple[str, str]] = ()
    children: Sequence["Field"] = ()
    items: Sequence["Field"] = ()
    full: bool = False
    errors: Sequence[str] = field(default=())

    @property
    def id(self) -> str:
        """Return the id of the control."""
        return "f" + self.name.replace("/", "-").replace("~", "_").replace(" ", "_")


@dataclass(frozen=True)
class Posted:
    """What a posted form means: the value, and what could not be read as JSON."""

    value: Any
    problems: list[Problem]


def build(schema: Schema, value: Any, problems: Iterable[Problem] = ()) -> Field:
    """Return the root field for a schema, filled with a value, with the problems at their controls."""
    return _Builder(schema, _by_pointer(problems)).field(schema, value, "", "", required=True, depth=0)


def parse(schema: Schema, data: Mapping[str, Any]) -> Posted:
    """Return the value that a posted form means. Blank optional controls are left out."""
    reader = _Reader(schema, data)
    value = reader.read(schema, "", required=True, depth=0)
    return Posted({} if value is MISSING else value, reader.problems)


def without_masked(value: Any) -> Any:
    """Return a copy without the values that are masked: a mask must never be sent as if it were the value."""
    if isinstance(value, dict):
        return {key: without_masked(part) for key, part in value.items() if part != MASK}
    if isinstance(value, list):
        return [without_masked(part) for part in value if part != MASK]
    return value


def loose_problems(root: Field, problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that belong to no control of the form."""
    names = set(_names(root))
    return [problem for problem in problems if problem.pointer not in names]


def edit_items(value: Any, where: str, *, remove: int | None = None) -> Any:
    """Return a copy of the value with an item added to the list at a pointer, or one removed."""
    copy = json.loads(json.dumps(value))
    parts = [part.replace("~1", "/").replace("~0", "~") for part in where.split("/")[1:]]
    target, step = {"": copy}, ""
    for part in parts:
        inner: Any = target[step] if isinstance(target, dict) else target[int(step)]
        target, step = inner, part
    items = target[int(step)] if isinstance(target, list) else target.setdefault(step, [])
    if remove is None:
        items.append(None)
    elif 0 <= remove < len(items):
        del items[remove]
    return copy


def commanded(value: Any, command: str) -> Any:
    """Return the value after `add:<pointer>` or `remove:<pointer>/<index>`, the buttons of a list."""
    verb, _, where = command.partition(":")
    try:
        if verb == "add":
            return edit_items(value, where)
        if verb == "remove":
            listed, _, index = where.rpartition("/")
            return edit_items(value, listed, remove=int(index))
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        pass  # the button of a form that was changed by hand: show what there is
    return value


@dataclass(frozen=True)
class _Builder:
    root: Schema
    problems: Mapping[str, list[str]]

    def field(self, schema: Any, value: Any, name: str, title: str, *, required: bool, depth: int) -> Field:
        """Return the field of a subschema."""
        node, kind = resolve(self.root, schema)
        if value is MISSING:
            value = node.get("default", MISSING)
        base = {
            "name": name,
            "title": node.get("title") or title,
            "required": required,
            "help": node.get("description", ""),
            "errors": self.problems.get(name, ()),
        }
        if _free(node, kind, depth):
            return Field(**base, widget="json", kind="JSON", text=_json(value))
        if kind == "object":
            return self._object(node, value, base, depth)
        if kind == "array":
            return self._array(node, value, base, depth)
        return _scalar(node, kind, value, base)

    def _object(self, node: Schema, value: Any, base: dict[str, Any], depth: int) -> Field:
        given = value if isinstance(value, dict) else {}
        needed = node.get("required", [])
        children = [
            self.field(
                part,
                given.get(key, MISSING),
                base["name"] + pointer([key]),
                _title(key),
                required=key in needed,
                depth=depth + 1,
            )
            for key, part in in_order(node)
        ]
        return Field(**base, widget="object", kind="object", children=children)

    def _array(self, node: Schema, value: Any, base: dict[str, Any], depth: int) -> Field:
        given = value if isinstance(value, list) else []
        items = [
            self.field(
                node["items"],
                MISSING if item is None else item,
                f"{base['name']}/{index}",
                str(index + 1),
                required=True,
                depth=depth + 1,
            )
            for index, item in enumerate(given[:MAX_ITEMS])
        ]
        full = len(items) >= min(node.get("maxItems", MAX_ITEMS), MAX_ITEMS)
        return Field(**base, widget="array", kind="list", items=items, full=full)


@dataclass
class _Reader:
    root: Schema
    data: Mapping[str, Any]
    problems: list[Problem] = field(default_factory=list)

    def read(self, schema: Any, name: str, *, required: bool, depth: int) -> Any:
        """Return the value of a subschema, or MISSING."""
        node, kind = resolve(self.root, schema)
        if _free(node, kind, depth):
            return self._json(name)
        if kind == "object":
            return self._object(node, name, required=required, depth=depth)
        if kind == "array":
            return self._array(node, name, required=required, depth=depth)
        return _value(node, kind, self.data.get(name), required=required)

    def _object(self, node: Schema, name: str, *, required: bool, depth: int) -> Any:
        needed = node.get("required", [])
        read = {
            key: self.read(part, name + pointer([key]), required=key in needed, depth=depth + 1)
            for key, part in node["properties"].items()
        }
        found = {key: value for key, value in read.items() if value is not MISSING}
        return found if required or any(value != _blank(node, key) for key, value in found.items()) else MISSING

    def _array(self, node: Schema, name: str, *, required: bool, depth: int) -> Any:
        found = []
        for index in range(self._count(name)):
            item = self.read(node["items"], f"{name}/{index}", required=True, depth=depth + 1)
            found.append(None if item is MISSING else item)
        return found if found or required else MISSING

    def _count(self, name: str) -> int:
        text = str(self.data.get(f"count:{name}", "0"))
        return min(int(text), MAX_ITEMS) if text.isascii() and text.isdigit() and len(text) < 4 else 0

    def _json(self, name: str) -> Any:
        text = str(self.data.get(name, "")).strip()
        if not text:
            return MISSING
        try:
            return strict_json.loads(text.encode("utf-8", "surrogatepass"))
        except strict_json.BadJSON as error:
            self.problems.append(Problem(name, "json", error.message))
            return MISSING


def resolve(root: Schema, schema: Any) -> tuple[Schema, str]:
    """Return the subschema that is meant (references followed, `null` taken out of alternatives) and its type."""
    node = schema if isinstance(schema, dict) else {}
    for _ in range(MAX_DEPTH):
        others = {key: value for key, value in node.items() if key not in {"$ref", "anyOf"}}
        if "$ref" in node:
            node = {**_local(root, str(node["$ref"])), **others}
        elif choices := _not_null(node):
            node = {**choices, **others}
        else:
            break
    kinds = node.get("type", "")
    if isinstance(kinds, list):
        named = [kind for kind in kinds if kind != "null"]
        kinds = named[0] if len(named) == 1 else ""
    return node, str(kinds)


def _local(root: Schema, reference: str) -> Schema:
    node: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        node = node.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(node, dict) else {}
    return node if isinstance(node, dict) else {}


def _not_null(node: Schema) -> Schema | None:
    """Return the one alternative to `null`, if that is all that `anyOf` says."""
    choices = [part for part in node.get("anyOf", ()) if part != {"type": "null"}]
    return choices[0] if len(choices) == 1 and isinstance(choices[0], dict) else None


def _free(node: Schema, kind: str, depth: int) -> bool:
    """Tell whether a value can only be written as JSON."""
    if depth > MAX_DEPTH or any(key in node for key in ("oneOf", "anyOf", "allOf", "if", "not")):
        return True
    if kind == "object":
        return not node.get("properties") or isinstance(node.get("additionalProperties"), dict)
    if kind == "array":
        return not isinstance(node.get("items"), dict) or not node["items"]
    return "enum" not in node and kind not in SCALARS


def _scalar(node: Schema, kind: str, value: Any, base: dict[str, Any]) -> Field:
    text = "" if value is MISSING or value is None else value if isinstance(value, str) else json.dumps(value)
    if "enum" in node:
        choices = [(_choice(each), _choice_title(each)) for each in node["enum"]]
        chosen = "" if value is MISSING else _choice(value)
        return Field(**base, widget="select", kind="choice", choices=choices, text=chosen)
    if kind == "boolean":
        if base["required"] or "default" in node:
            return Field(**base, widget="checkbox", kind=kind, checked=value is True)
        choices = [("true", "yes"), ("false", "no")]
        return Field(**base, widget="select", kind=kind, choices=choices, text=text)
    if kind in {"number", "integer"}:
        return Field(**base, widget="number", kind=kind, text=text)
    if is_secret(node, base["name"]):
        return Field(**base, widget="secret", kind="secret", text="" if text == MASK else text)
    shape = node.get("format", "")
    long = "\n" in text or (node.get("maxLength", 0) > LONG_TEXT and shape not in INPUT_TYPES)
    widget = "textarea" if long else "text"
    return Field(**base, widget=widget, kind=shape or kind, text=text, input_type=INPUT_TYPES.get(shape, "text"))


def is_secret(node: Schema, name: str) -> bool:
    """Tell whether a value is not shown while it is typed."""
    last = name.rpartition("/")[2]
    return bool(node.get("x-sensitive") or node.get("writeOnly")) or is_sensitive_name(last)


def _value(node: Schema, kind: str, raw: Any, *, required: bool) -> Any:
    """Return the value of one control. What does not fit its type is kept as text, for the schema to refuse."""
    text = "" if raw is None else str(raw).replace("\r\n", "\n")
    if "enum" in node:
        return next((each for each in node["enum"] if _choice(each) == text), text) if text else MISSING
    if kind == "boolean":
        checkbox = required or "default" in node
        return text == "true" if text or checkbox else MISSING
    if not text:
        return MISSING
    return _number(text.strip(), kind) if kind in {"number", "integer"} else text


def _number(text: str, kind: str) -> Any:
    try:
        value = strict_json.loads(text.encode("utf-8", "surrogatepass"))
    except strict_json.BadJSON:
        return text
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text
    return int(value) if kind == "integer" and float(value).is_integer() else value


def in_order(node: Schema) -> list[tuple[str, Any]]:
    """Return the properties, required ones first in the order in which `required` names them.

    The database does not keep the order of an object's keys, but that of a list.
    """
    place = {key: index for index, key in enumerate(node.get("required", []))}
    return sorted(node["properties"].items(), key=lambda item: place.get(item[0], len(place)))


def _blank(node: Schema, key: str) -> Any:
    """Return what an untouched control of this property posts."""
    default = node["properties"][key].get("default", MISSING) if isinstance(node["properties"][key], dict) else MISSING
    return default if default is not MISSING else False


def _choice(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _choice_title(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _title(key: str) -> str:
    words = key.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def _json(value: Any) -> str:
    return "" if value is MISSING else json.dumps(value, indent=2, ensure_ascii=False)


def _by_pointer(problems: Iterable[Problem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.pointer, []).append(problem.message)
    return found


def _names(node: Field) -> Iterable[str]:
    yield node.name
    for child in (*node.children, *node.items):
        yield from _names(child)
