r"""URI templates (RFC 6570, level 1): `https://example.com/pets/{id}` with `id` from the task's transformed input.

A template becomes one expression, so that the engine and the HTTP client need to know nothing about it. A missing value
or null is empty, text, numbers and booleans are percent-encoded, anything else fails as an expression does.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from workflows.language import templates
from workflows.language.templates import Expression, ObjectOf, Template

VARIABLE = re.compile(r"\{([^{}]*)\}")
# Operators and modifiers of the higher levels, which the language does not have.
OPERATORS = re.compile(r"[+#./;?&=,!@|].*|.*[*:,].*|\s*", re.DOTALL)
ENCODE = (
    'def uri_part($name): if type == "object" or type == "array" then error("{" + $name + "} of the URI is not '
    'a text, number or boolean") elif . == null then "" else tostring | @uri end; '
)
PLACES = ("endpoint", "uri", "document")


def variables(text: str) -> list[str]:
    """Return the names in braces."""
    return VARIABLE.findall(text)


def expression(text: str) -> str:
    """Return the jq text that fills in a template."""
    parts = VARIABLE.split(text)
    filled = [
        f"(.[{quoted}] | uri_part({quoted}))" if index % 2 else quoted
        for index, quoted in enumerate(json.dumps(part) for part in parts)
        if index % 2 or quoted != '""'
    ]
    return ENCODE + " + ".join(filled)


def compile_arguments(value: Any) -> Template:
    """Compile the `with` of `http` or `openapi`, with the templates in its endpoints."""
    if not isinstance(value, Mapping):
        return templates.compile(value)
    members = tuple((key, _compile_place(key, item)) for key, item in value.items())
    constant = all(isinstance(item, templates.Constant) for _, item in members)
    return templates.Constant(value) if constant else ObjectOf(members)


def _compile_place(key: str, value: Any) -> Template:
    if key in PLACES and isinstance(value, Mapping):
        return compile_arguments(value)
    if key in ("endpoint", "uri") and isinstance(value, str) and templates.inner(value) is None and variables(value):
        return Expression(expression(value))
    return templates.compile(value)
