"""What a part of a document mentions, and a catalog that has all of it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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

    def undo(self, version: str) -> str:
        """Return an empty text: nothing is known to undo it."""
        del version
        return ""


class Assumed:
    """A catalog with every function, workflow and connection that a document mentions; it looks when it is asked."""

    def __init__(self, document: Any) -> None:
        self.document = document

    @cached_property
    def functions(self) -> dict[str, tuple[str, ...]]:
        """Return name -> versions of what is called."""
        return _versions(
            (call.name, call.version)
            for key, text in _texts(self.document)
            if key == "call" and (call := parse_call(text)) is not None
        )

    @cached_property
    def children(self) -> dict[str, tuple[str, ...]]:
        """Return name -> versions of what is run as a child."""
        found = (child for key, child in _objects(self.document) if key == "workflow")
        return _versions((child["name"], child.get("version")) for child in found)

    def function(self, name: str) -> Anything | None:
        """Return the function if it was mentioned."""
        return Anything(self.functions[name]) if name in self.functions else None

    def names(self) -> list[str]:
        """Return the names of all functions."""
        return list(self.functions)

    def workflow(self, namespace: str, name: str) -> Sequence[str]:
        """Return the versions of a workflow that were mentioned."""
        del namespace
        return self.children.get(name, ())

    def workflows(self, namespace: str) -> list[str]:
        """Return the names of all workflows."""
        del namespace
        return list(self.children)

    def connections(self) -> list[str]:
        """Return the secrets that the document lists."""
        return [text for key, text in _texts(self.document) if key == "secrets"]

    def users(self) -> list[str]:
        """Return everybody who is named."""
        return [text for key, text in _texts(self.document) if key == "users"]

    def groups(self) -> list[str]:
        """Return the groups that are named."""
        return [text for key, text in _texts(self.document) if key == "groups"]


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


def _versions(mentioned: Iterable[tuple[Any, Any]]) -> dict[str, tuple[str, ...]]:
    """Return name -> versions: those that are exact, else one that stands for the newest."""
    found: dict[str, dict[str, None]] = {}
    for name, version in mentioned:
        known = found.setdefault(str(name), {})
        if isinstance(version, str) and VERSION.fullmatch(version):
            known[version] = None
    return {name: tuple(known) or (NEWEST,) for name, known in found.items()}


def _objects(value: Any, key: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (key that it stands under, object) of every object with a name in a value."""
    if isinstance(value, Mapping):
        if "name" in value:
            yield key, value
        for inner, item in value.items():
            yield from _objects(item, inner)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _objects(item, key)


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
