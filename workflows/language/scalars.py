"""Plain scalars of YAML by the core schema of YAML 1.2.2, §10.3.2: null, booleans, numbers, else text."""

import re
from typing import Any

from workflows.language.strictness import LoadError, check_number

WORDS: dict[str, Any] = {"": None, "~": None}
for _value, _spellings in (
    (None, ("null", "Null", "NULL")),
    (True, ("true", "True", "TRUE")),
    (False, ("false", "False", "FALSE")),
):
    WORDS.update(dict.fromkeys(_spellings, _value))

DECIMAL = re.compile(r"[-+]?[0-9]+")
PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
LONGEST_NUMBER = 400


def resolve(text: str, line: int, column: int) -> Any:
    """Return the value of an unquoted scalar. Raises LoadError for a number that cannot be kept."""
    if text in WORDS:
        return WORDS[text]
    if NOT_FINITE.fullmatch(text):
        raise LoadError(f'`{text}` is not a number of JSON; quote it: "{text}"', line, column)
    number = _number(text) if len(text) <= LONGEST_NUMBER else None
    if number is None:
        return text
    check_number(number, line, column)
    return number


def _number(text: str) -> int | float | None:
    if DECIMAL.fullmatch(text):
        return int(text)
    if PREFIXED.fullmatch(text):
        return int(text, 0)
    return float(text) + 0.0 if FLOAT.fullmatch(text) else None
