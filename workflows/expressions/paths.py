"""The fast lane: paths, and a path compared with a literal, evaluated in Python exactly as jq 1.8 would.

More than half of the expressions that people write are `.a.b`, `$context.x` or `.status == "new"`. Those never leave
the process. Whatever is not certainly the same here and in jq is not in the lane: number literals have at most 15
digits, so that a decimal and its double cannot disagree, and strings have no escapes.

    lane    = path | path op literal | path // literal, each optionally followed by `| not`
    path    = `.` or `$name`, then `.name`, `."text"`, `["text"]`, `[number]`
"""

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from workflows.expressions.errors import ExpressionError

Lane = Callable[[Any, Mapping[str, Any]], Any]
Key = str | int

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
TEXT = r'"[^"\\\x00-\x1f\x7f]*"'
STEP = rf"\.{NAME}|\.{TEXT}|\.?\[(?:-?[0-9]{{1,6}}|{TEXT})\]"
LITERAL = rf"null|true|false|-?[0-9]+(?:\.[0-9]+)?|{TEXT}"
FORM = re.compile(
    rf"\s*(?P<root>\.(?![.A-Za-z_\[\"])|\${NAME}|(?=\.))(?P<steps>(?:{STEP})*)"
    rf"(?:\s*(?P<operator>==|!=|<=|>=|<|>|//)\s*(?P<literal>{LITERAL}))?"
    r"(?P<negated>\s*\|\s*not)?\s*"
)
STEPS = re.compile(STEP)
LONGEST_NUMBER = 15
TYPES: Mapping[type, tuple[int, str]] = {
    type(None): (0, "null"),
    bool: (1, "boolean"),
    int: (2, "number"),
    float: (2, "number"),
    str: (3, "string"),
    list: (4, "array"),
    dict: (5, "object"),
}
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
RESERVED = frozenset({"$ENV", "$__loc__", "$__prog_args"})


class UndecidedError(Exception):
    """Only jq can tell what this expression gives for this data."""


@lru_cache(4096)
def parse(expression: str) -> Lane | None:
    """Return what evaluates the expression, given `.` and the variables, or None if it is not in the lane.

    What it returns raises ExpressionError, or UndecidedError where jq has to be asked after all.
    """
    found = FORM.fullmatch(expression)
    if not found or found["root"] in RESERVED:
        return None
    lane = _path(found["root"], tuple(_key(step) for step in STEPS.findall(found["steps"])))
    if found["operator"]:
        literal = _literal(found["literal"])
        if literal is NotImplemented:
            return None
        lane = _default(lane, literal) if found["operator"] == "//" else _compare(lane, found["operator"], literal)
    return _negate(lane) if found["negated"] else lane


def _key(step: str) -> Key:
    bare = step.removeprefix(".")
    if bare.startswith("["):
        bare = bare[1:-1]
        return bare[1:-1] if bare.startswith('"') else int(bare)
    return bare[1:-1] if bare.startswith('"') else bare


def _literal(text: str) -> Any:
    """Return the value, or NotImplemented for a number too long to be certain."""
    words = {"null": None, "true": True, "false": False}
    if text in words:
        return words[text]
    if text.startswith('"'):
        return text[1:-1]
    if sum(map(str.isdigit, text)) > LONGEST_NUMBER:
        return NotImplemented
    return float(text) if "." in text else int(text)


def _path(root: str, keys: tuple[Key, ...]) -> Lane:
    name = root[1:]
    if name:
        return lambda _, variables: _walk(_variable(variables, name), keys)
    return (lambda dot, _: _walk(dot, keys)) if keys else (lambda dot, _: dot)


def _variable(variables: Mapping[str, Any], name: str) -> Any:
    if name not in variables:  # jq tells where in the text
        raise UndecidedError
    return variables[name]


def _walk(value: Any, keys: tuple[Key, ...]) -> Any:
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif value is None:
            return None
        elif isinstance(value, list) and isinstance(key, int):
            value = value[key] if -len(value) <= key < len(value) else None
        else:
            raise ExpressionError("The expression failed", _cannot_index(value, key))
    return value


def _cannot_index(value: Any, key: Key) -> str:
    shown = f'string ("{key}")' if isinstance(key, str) else f"number ({key})"
    return f"Cannot index {_type(value)[1]} with {shown}"


def _compare(lane: Lane, symbol: str, literal: Any) -> Lane:
    """Compare as jq orders values: by type first, null < booleans < numbers < strings < arrays < objects."""
    compare, rank = COMPARE[symbol], _type(literal)[0]

    def compared(dot: Any, variables: Mapping[str, Any]) -> bool:
        value = lane(dot, variables)
        found = _type(value)[0]
        if found != rank:
            return compare(found, rank)
        return compare(0, 0) if value is None else compare(value, literal)

    return compared


def _default(lane: Lane, literal: Any) -> Lane:
    def found_or(dot: Any, variables: Mapping[str, Any]) -> Any:
        try:
            value = lane(dot, variables)
        except ExpressionError:  # whether an error counts as nothing found differs between versions of jq
            raise UndecidedError from None
        return literal if value is None or value is False else value

    return found_or


def _negate(lane: Lane) -> Lane:
    def negated(dot: Any, variables: Mapping[str, Any]) -> bool:
        value = lane(dot, variables)
        return value is None or value is False

    return negated


def _type(value: Any) -> tuple[int, str]:
    return TYPES[type(value)]
