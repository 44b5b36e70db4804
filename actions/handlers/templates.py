"""Logic-less templates: `{{ path.to.value }}` and nothing else. Data is inserted, never evaluated."""

import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from actions.errors import ActionError
from actions.problems import Problem, pointer

FIELD = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*", re.ASCII)
WHOLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}\Z")


def render(template: str, value: Any, escape: Callable[[str], str] = str) -> str:
    """Return the text with every `{{ path }}` replaced. Raises ActionError `missing_field` for a path without value."""
    return FIELD.sub(lambda match: escape(as_text(lookup(value, match[1]))), template)


def render_html(template: str, value: Any) -> str:
    """Return the HTML text; values are escaped."""
    return render(template, value, html.escape)


def render_value(structure: Any, value: Any) -> Any:
    """Return a copy of a JSON structure with its texts rendered; a text that is one field becomes its value."""
    if isinstance(structure, dict):
        return {key: render_value(part, value) for key, part in structure.items()}
    if isinstance(structure, list):
        return [render_value(part, value) for part in structure]
    if not isinstance(structure, str):
        return structure
    whole = WHOLE.match(structure)
    return lookup(value, whole[1]) if whole else render(structure, value)


def check(structure: Any, path: tuple[str | int, ...] = ()) -> Iterator[Problem]:
    """Yield what is wrong with the templates in a JSON structure."""
    if isinstance(structure, dict):
        for key, part in structure.items():
            yield from check(part, (*path, key))
    elif isinstance(structure, list):
        for index, part in enumerate(structure):
            yield from check(part, (*path, index))
    elif isinstance(structure, str):
        yield from (Problem(pointer(path), "template", message) for message in _faults(structure))


def paths(structure: Any) -> Iterator[str]:
    """Yield the paths that a JSON structure refers to."""
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, list):
        for part in structure:
            yield from paths(part)
    elif isinstance(structure, str):
        yield from (match[1] for match in FIELD.finditer(structure))


def lookup(value: Any, path: str) -> Any:
    """Return the value at a dotted path. Raises ActionError `missing_field`."""
    found = value
    for part in path.split("."):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            raise ActionError(
                "missing_field", f"the template needs {path!r}, which the input does not have", retryable=False
            )
    return found


def as_text(value: Any) -> str:
    """Return a JSON value as people write it: texts bare, null empty, the rest as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _faults(text: str) -> Iterator[str]:
    for match in FIELD.finditer(text):
        if not PATH.fullmatch(match[1]):
            yield f"{match[0]!r} is not a path such as {{{{ customer.name }}}}: there is no logic in templates"
    rest = FIELD.sub("", text)
    if "{{" in rest or "}}" in rest or "{%" in rest:
        yield "has braces that do not form {{ path }}"
