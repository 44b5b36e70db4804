"""Which key of a task says what kind of task it is, and where a task has task lists inside."""

from collections.abc import Iterator, Mapping
from typing import Any

# `for` and `try` come first: a `for` task also contains `do`.
KINDS = ("for", "try", "call", "do", "emit", "fork", "listen", "raise", "run", "set", "switch", "wait")


def kind_of(definition: Mapping[str, Any]) -> str | None:
    """Return the kind of a task, or None if no key of it names one."""
    return next((kind for kind in KINDS if kind in definition), None)


def lists_of(definition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (place below the task, list) of each task list directly inside a task, whatever stands there."""
    kind = kind_of(definition)
    if kind in ("for", "do"):
        yield "do", definition.get("do", [])
    elif kind == "fork":
        yield from _member(definition["fork"], "fork", "branches")
    elif kind == "try":
        yield "try", definition["try"]
        yield from _member(definition.get("catch"), "catch", "do")
    elif kind == "listen":
        yield from _member(definition.get("foreach"), "foreach", "do")


def _member(part: Any, place: str, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict) and key in part:
        yield f"{place}/{key}", part[key]
