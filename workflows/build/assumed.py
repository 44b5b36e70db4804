"""What a part of a document mentions, and a catalog that has all of it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.language.locking import VERSION, parse_call

NEWEST = "1.0.0"
SECRET = re.compile(r"\$secrets(?:\.([A-Za-z_][A-Za-z0-9_]*)|\.?\[?\"([^\"]+)\"\]?)")
# a key of a task or of a part of it -> what its text names
NAMED = {"timeout": "timeouts", "retry": "retries", "error": "errors"}


@dataclass(frozen=True, slots=True)
class Anything:
    """A function that takes every argument, in the versions that were mentioned."""

    versions: tuple[str, ...]

    def input_schema(self, version: str) -> Mapping[str, Any]:
        """Return the schema that everything fits."""
        del version
        return {}

    def check_input(self, version: str, value: Any) -> Iterable[tuple[str, str]]:
        """Return nothing."""
        del version, value
        return ()


class Assumed:
    """A catalog with every function and workflow that a document mentions."""

    def __init__(self, document: Any) -> None:
        self.known: dict[str, tuple[str, ...]] = {}
        for key, text in _texts(document):
            call = parse_call(text) if key == "call" else None
            if call:
                exact = (call.version,) if call.version and VERSION.fullmatch(call.version) else ()
                self.known[call.name] = (*exact, *self.known.get(call.name, (NEWEST,)))

    def function(self, name: str) -> Anything | None:
        """Return the function if it was mentioned."""
        return Anything(self.known[name]) if name in self.known else None

    def names(self) -> list[str]:
        """Return all names."""
        return list(self.known)


def names_used(value: Any) -> dict[str, list[str]]:
    """Return what these tasks name of each part of `use`."""
    found: dict[str, dict[str, None]] = {key: {} for key in (*NAMED.values(), "authentications", "secrets")}
    for key, text in _texts(value):
        if key in NAMED:
            found[NAMED[key]][text] = None
        elif key == "use":
            found["authentications"][text] = None
            found["secrets"][text] = None
        for one, other in SECRET.findall(text):
            found["secrets"][one or other] = None
    return {key: list(names) for key, names in found.items()}


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield (key that it stands under, text) of every text in a value."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for inner, item in value.items():
            yield from _texts(item, inner)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, key)
