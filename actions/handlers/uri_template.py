"""URI templates, level 1 of RFC 6570: `{name}` is replaced by a value, percent-encoded; nothing else is understood."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from actions.errors import ActionError
from actions.handlers import templates

FIELD = re.compile(r"\{([^{}]*)\}")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)


def expand(template: str, variables: Any) -> str:
    """Return the URI. A name is looked up as it is written (`{pet.id}` is the variable `pet.id`); a missing one is "".

    Raises ActionError `invalid_template`.
    """
    known = variables if isinstance(variables, Mapping) else {}
    uri = FIELD.sub(lambda match: quote(_text(match[1], known), safe=""), template)
    if {"{", "}"} & set(uri):
        raise _refused(f"{template!r} has braces that do not form {{name}}")
    if _dots(uri) > _dots(FIELD.sub("x", template)):
        raise _refused("a variable that is `.` or `..` would lead to another path")
    return uri


def _text(name: str, variables: Mapping[str, Any]) -> str:
    if not NAME.fullmatch(name):
        raise _refused(f"{{{name}}} is not {{name}}: operators of URI templates are not understood, only plain names")
    value = variables.get(name)
    if isinstance(value, list | dict):
        raise _refused(f"{{{name}}} is an {'array' if isinstance(value, list) else 'object'}; use a text or a number")
    return templates.as_text(value)


def _dots(uri: str) -> int:
    return sum(part in (".", "..") for part in urlsplit(uri).path.split("/"))


def _refused(why: str) -> ActionError:
    return ActionError("invalid_template", f"the endpoint: {why}", retryable=False)
