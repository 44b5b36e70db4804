"""Values with expressions inside, compiled once so that a constant costs nothing.

Two notations, one representation (R20, R21):

- A field that is *always* an expression (`if`, `when`, a string in `from`/`as`) may be written bare or as `${ }`.
- Everywhere else a string is an expression only if the *whole* string is `${ ... }`; any other string is text.

What is kept is always the inner jq text, without `${ }`. A part without expressions is kept as the value itself:
`resolve` returns it uncopied, so callers must not change what they get.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

WHOLE = re.compile(r"\s*\$\{(.+)\}\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value without any expression in it."""

    value: Any


@dataclass(frozen=True, slots=True)
class Expression:
    """One jq expression, without `${ }`."""

    text: str


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object with an expression somewhere inside."""

    items: tuple[tuple[str, "Template"], ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array with an expression somewhere inside."""

    items: tuple["Template", ...]


Template = Constant | Expression | ObjectOf | ListOf


def inner(text: str) -> str | None:
    """Return the jq text of a string that is wholly `${ ... }`, else None."""
    found = WHOLE.fullmatch(text)
    return found[1].strip() if found else None


def always(text: str) -> str:
    """Return the jq text of a field that is always an expression, written bare or as `${ ... }`."""
    found = inner(text)
    return text.strip() if found is None else found


def compile(value: Any) -> Template:  # noqa: A001 - read as `templates.compile`, like `re.compile`
    """Compile JSON data in which whole strings may be `${ ... }`."""
    if isinstance(value, str):
        text = inner(value)
        return Constant(value) if text is None else Expression(text)
    if isinstance(value, dict):
        members = tuple((key, compile(item)) for key, item in value.items())
        constant = all(isinstance(item, Constant) for _, item in members)
        return Constant(value) if constant else ObjectOf(members)
    if isinstance(value, list):
        items = tuple(compile(item) for item in value)
        return Constant(value) if all(isinstance(item, Constant) for item in items) else ListOf(items)
    return Constant(value)


def compile_always(value: Any) -> Template:
    """Compile a `from` or `as`: a string is always an expression; inside an object the `${ }` is required."""
    return Expression(always(value)) if isinstance(value, str) else compile(value)


def is_constant(value: Any) -> bool:
    """Tell whether data has no expression anywhere inside."""
    return isinstance(compile(value), Constant)


def compile_whole(value: Any) -> Constant | Expression:
    """Compile a value that is wholly an expression or none at all."""
    text = inner(value) if isinstance(value, str) else None
    return Constant(value) if text is None else Expression(text)


def resolve(template: Template, evaluate: Callable[[str], Any]) -> Any:
    """Return the value of `template`, calling `evaluate` once for each expression, in document order."""
    if isinstance(template, Constant):
        return template.value
    if isinstance(template, Expression):
        return evaluate(template.text)
    if isinstance(template, ObjectOf):
        return {key: resolve(item, evaluate) for key, item in template.items}
    return [resolve(item, evaluate) for item in template.items]


def expressions(template: Template, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Yield (JSON pointer, jq text) of each expression, in document order."""
    if isinstance(template, Expression):
        yield pointer, template.text
    elif isinstance(template, ObjectOf):
        for key, item in template.items:
            yield from expressions(item, f"{pointer}/{escape(key)}")
    elif isinstance(template, ListOf):
        for index, item in enumerate(template.items):
            yield from expressions(item, f"{pointer}/{index}")


def escape(key: str) -> str:
    """Return `key` as one segment of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
