"""A form from a JSON Schema, and the JSON value from the posted form.

The name of every control is the JSON pointer of its value, so a problem that the schema reports belongs to the control
of the same name. What a form cannot show well (alternatives, free objects, deep nesting) is a JSON field of its own;
the schema itself judges every value, so a form can never accept more than the API.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _

from actions.problems import Problem, pointer
from actions.sensitive import MASK
from dotdo_site.lib import strict_json
from workflows.schema_nodes import MAX_DEPTH, Schema, free, in_order, is_secret, nullable, resolve, takes_others

__all__ = [
    "MAX_DEPTH", "MISSING", "Field", "Posted", "build", "commanded", "edit_items", "loose_problems", "parse",
    "without_masked",
]  # fmt: skip

MAX_ITEMS = 100
LONG_TEXT = 200
MISSING: Any = object()
INPUT_TYPES = {"email": "email", "uri": "url", "date": "date", "time": "time"}
# What a browser takes in such a control; anything else it would show, and send, as nothing.
SHAPES = {"date": re.compile(r"\d{4}-\d\d-\d\d"), "time": re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,3})?)?")}
WAS = "was:"  # before the pointer of a control: the value that it was filled with, where it cannot express that
OTHERS = "others:"  # before the pointer of an object: what it has besides its named properties


@dataclass(frozen=True)
class Field:
    """One control, or a group of them. `widget` names how it is shown; `kept`: left blank, it stands for a value that
    is there and is not shown; `was`: left as it is, it stands for this JSON, or for nothing where that is empty.
    """

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
    kept: bool = False
    was: str | None = None
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
    """Return the value that a posted form means: what was left as `build` filled it is what it was filled with.

    Other optional controls that are blank are left out.
    """
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
    names = {control.name for control in _controls(root)}
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
    exact: bool = True
    fresh: list[str] = field(default_factory=list)  # items that were just added, and stand for no value yet

    def field(
        self, schema: Any, value: Any, name: str, title: str, *, required: bool, depth: int, absent: bool = False
    ) -> Field:
        """Return the field of a subschema; `absent`: MISSING is what the value is, not what nobody has said yet."""
        added = len(self.fresh)
        found = self._field(schema, value, name, title, required=required, depth=depth)
        if not self.exact or (value is MISSING and not absent) or len(self.fresh) > added:
            return found
        read = _Reader(self.root, _untouched(found)).read(schema, name, required=required, depth=depth)
        return found if _stored(read) == _stored(value) else replace(found, was=_stored(value))

    def _field(self, schema: Any, value: Any, name: str, title: str, *, required: bool, depth: int) -> Field:
        node, kind = resolve(self.root, schema)
        if value is MISSING:
            value = node.get("default", MISSING)
        base = {
            "name": name,
            # its own title: that of a model it refers to is the same wherever the model is used
            "title": (schema.get("title") if isinstance(schema, dict) else "") or title,
            "required": required,
            "help": node.get("description", ""),
            "errors": self.problems.get(name, ()),
        }
        if value == MASK:
            return Field(**base, widget="secret", kind="secret", kept=True)
        if free(node, kind, depth) or (kind == "array" and isinstance(value, list) and len(value) > MAX_ITEMS):
            return Field(**base, widget="json", kind="JSON", text=_json(value))
        if kind == "object":
            return self._object(node, value, base, depth)
        if kind == "array":
            return self._array(node, value, base, depth)
        return _scalar(node, kind, value, base, blank=_has_blank(self.root, schema, node, required=required))

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
                absent=isinstance(value, dict) and key not in value,
            )
            for key, part in in_order(node)
        ]
        return Field(**base, widget="object", kind="object", children=[*children, *self._others(node, given, base)])

    def _others(self, node: Schema, given: Mapping[str, Any], base: dict[str, Any]) -> list[Field]:
        """Return the field for what has no field of its own, where there is some, or where the schema asks for it."""
        rest = {key: value for key, value in given.items() if key not in node["properties"]}
        if not takes_others(node) or not (rest or isinstance(node.get("additionalProperties"), dict)):
            return []
        name = OTHERS + base["name"]
        text, errors = _json(rest) if rest else "", self.problems.get(name, ())
        return [Field(name=name, widget="json", title=_("Other fields"), kind="JSON", text=text, errors=errors)]

    def _array(self, node: Schema, value: Any, base: dict[str, Any], depth: int) -> Field:
        given = value if isinstance(value, list) else []
        if None in given and not nullable(self.root, node["items"]):
            self.fresh.append(base["name"])
        items = [
            self.field(
                node["items"],
                MISSING if item is None else item,
                f"{base['name']}/{index}",
                str(index + 1),
                required=True,
                depth=depth + 1,
            )
            for index, item in enumerate(given)
        ]
        full = len(items) >= min(node.get("maxItems", MAX_ITEMS), MAX_ITEMS)
        return Field(**base, widget="array", kind="list", items=items, full=full)


@dataclass
class _Reader:
    root: Schema
    data: Mapping[str, Any]
    problems: list[Problem] = field(default_factory=list)

    def read(self, schema: Any, name: str, *, required: bool, depth: int) -> Any:
        """Return the value of a subschema, or MISSING; of a control that stands for what is not shown, its mask."""
        if f"kept:{name}" in self.data and not self.data.get(name):
            return MASK
        was = self._was(schema, name, required=required, depth=depth)
        if was is not None:
            return was[0]
        node, kind = resolve(self.root, schema)
        if free(node, kind, depth) or (kind == "array" and name in self.data and f"count:{name}" not in self.data):
            found = self._json(name)
        elif kind == "object":
            found = self._object(node, name, required=required, depth=depth)
        elif kind == "array":
            found = self._array(node, name, required=required, depth=depth)
        else:
            blank = _has_blank(self.root, schema, node, required=required)
            found = _value(node, kind, self.data.get(name), blank=blank)
        return None if _is_null(found, name) and required and nullable(self.root, schema) else found

    def _was(self, schema: Any, name: str, *, required: bool, depth: int) -> tuple[Any] | None:
        """Return the value that a control was filled with, if it was left as it was."""
        text = self.data.get(WAS + name)
        if text is None:
            return None
        try:
            value = strict_json.loads(str(text).encode("utf-8", "surrogatepass")) if text else MISSING
        except strict_json.BadJSON:
            return None
        shown = _Builder(self.root, {}, exact=False).field(schema, value, name, "", required=required, depth=depth)
        return (value,) if all(_as_sent(each, self.data) for each in _controls(shown)) else None

    def _object(self, node: Schema, name: str, *, required: bool, depth: int) -> Any:
        needed = node.get("required", [])
        read = {
            key: self.read(part, name + pointer([key]), required=key in needed, depth=depth + 1)
            for key, part in node["properties"].items()
        }
        found = {key: value for key, value in read.items() if value is not MISSING}
        found |= self._others(node, name)
        return found if required or any(value != _blank(node, key) for key, value in found.items()) else MISSING

    def _others(self, node: Schema, name: str) -> dict[str, Any]:
        rest = self._json(OTHERS + name)
        if rest is MISSING or not takes_others(node):
            return {}
        if isinstance(rest, dict):
            return {key: value for key, value in rest.items() if key not in node["properties"]}
        self.problems.append(Problem(OTHERS + name, "type", _("these are fields of an object: write {…}")))
        return {}

    def _array(self, node: Schema, name: str, *, required: bool, depth: int) -> Any:
        found = []
        for index in range(self._count(name)):
            item = self.read(node["items"], f"{name}/{index}", required=True, depth=depth + 1)
            found.append(None if item is MISSING else item)
        return found if found or required or node.get("default") else MISSING

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


def _has_blank(root: Schema, schema: Any, node: Schema, *, required: bool) -> bool:
    """Tell whether a value may stay open, so that a checkbox, which is on or off, would say too much."""
    return nullable(root, schema) or not (required or isinstance(node.get("default"), bool))


def _is_null(value: Any, name: str) -> bool:
    """Tell whether nothing was filled in; the value of the whole form is never null."""
    return bool(name) and (value is MISSING or value == {})


def _scalar(node: Schema, kind: str, value: Any, base: dict[str, Any], *, blank: bool) -> Field:
    text = "" if value is MISSING or value is None else value if isinstance(value, str) else json.dumps(value)
    if "enum" in node:
        choices = [(_choice(each), _choice_title(each)) for each in node["enum"]]
        only = base["required"] and len(choices) == 1
        chosen = choices[0][0] if only else "" if value is MISSING else _choice(value)
        return Field(**base, widget="select", kind=_("choice"), choices=choices, text=chosen)
    if kind == "boolean":
        if not blank:
            return Field(**base, widget="checkbox", kind=kind, checked=value is True)
        return Field(**base, widget="select", kind=kind, choices=[("true", _("yes")), ("false", _("no"))], text=text)
    if kind in {"number", "integer"}:
        return Field(**base, widget="number", kind=kind, text=text)
    if is_secret(node, base["name"]):
        return Field(**base, widget="secret", kind="secret", text=text)
    shape = node.get("format", "")
    fits = not text or shape not in SHAPES or SHAPES[shape].fullmatch(text)
    long = "\n" in text or (node.get("maxLength", 0) > LONG_TEXT and shape not in INPUT_TYPES)
    widget = "textarea" if long else "text"
    return Field(
        **base,
        widget=widget,
        kind=shape or kind,
        text=text,
        input_type=INPUT_TYPES.get(shape, "text") if fits else "text",
    )


def _controls(node: Field) -> Iterable[Field]:
    yield node
    for child in (*node.children, *node.items):
        yield from _controls(child)


def _sent(control: Field) -> str | None:
    """Return what a browser sends for a control that nobody touched; None: nothing of its name."""
    if control.widget in {"object", "array"}:
        return None
    if control.widget == "checkbox":
        return "true" if control.checked else None
    if control.widget == "select":
        return control.text if control.text in [choice for choice, _title in control.choices] else ""
    return _typed(control, control.text)


def _typed(control: Field, text: str) -> str:
    """Return a text as it comes out of a control: of one line, or with one kind of line ends."""
    if control.widget in {"textarea", "json"}:
        return text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\n")
    text = text.replace("\r", "").replace("\n", "")
    return text.strip() if control.input_type in {"email", "url"} else text


def _as_sent(control: Field, data: Mapping[str, Any]) -> bool:
    """Tell whether a control was posted as it was shown."""
    if control.widget == "array":
        return data.get(f"count:{control.name}") == str(len(control.items))
    if control.widget in {"object", "checkbox"}:
        return (control.name in data) == (_sent(control) is not None)
    return _typed(control, str(data.get(control.name, ""))) == _sent(control)


def _untouched(node: Field) -> dict[str, str]:
    """Return what a browser sends for a field and those in it when nobody touched them."""
    found: dict[str, str] = {}
    for control in _controls(node):
        text = _sent(control)
        found |= {control.name: text} if text is not None else {}
        found |= {f"count:{control.name}": str(len(control.items))} if control.widget == "array" else {}
        found |= {f"kept:{control.name}": "1"} if control.kept else {}
        found |= {WAS + control.name: control.was} if control.was is not None else {}
    return found


def _value(node: Schema, kind: str, raw: Any, *, blank: bool) -> Any:
    """Return the value of one control. What does not fit its type is kept as text, for the schema to refuse."""
    text = "" if raw is None else str(raw).replace("\r\n", "\n")
    if "enum" in node:
        return next((each for each in node["enum"] if _choice(each) == text), text) if text else MISSING
    if kind == "boolean":
        return text == "true" if text or not blank else MISSING
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


def _stored(value: Any) -> str:
    """Return a value as JSON in which different values differ; nothing for MISSING."""
    return "" if value is MISSING else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _by_pointer(problems: Iterable[Problem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.pointer, []).append(problem.message)
    return found
