"""What the language needs to know of the functions that a workflow may call, and of the tools that check it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from workflows.language.builtins import BUILTINS

# (jq text, variables available there without `$`) -> what is wrong with it
CompileExpression = Callable[[str, frozenset[str]], str | None]
# the same for many at once: each of them -> what is wrong with it
CompileAll = Callable[[Iterable[tuple[str, frozenset[str]]]], Mapping[tuple[str, frozenset[str]], str | None]]
# a JSON Schema -> (pointer into it, message) for everything that keeps it from being enforced
CheckSchema = Callable[[Any], Iterable[tuple[str, str]]]
# a cron text of five fields -> what is wrong with it
CheckCron = Callable[[str], str | None]


class FunctionInfo(Protocol):
    """A function with its published versions."""

    @property
    def versions(self) -> Sequence[str]:
        """Return the published versions, newest first."""
        ...

    def input_schema(self, version: str) -> Mapping[str, Any]:
        """Return the JSON Schema of the arguments."""
        ...

    def check_input(self, version: str, value: Any) -> Iterable[tuple[str, str]]:
        """Return (pointer, message) of what is wrong; a missing or unknown field is reported at its own pointer."""
        ...

    def undo(self, version: str) -> str:
        """Return the name of the action that undoes this one, or an empty text."""
        ...


class Catalog(Protocol):
    """What exists here beside the built-in functions: actions, workflows, connections and people."""

    def function(self, name: str) -> FunctionInfo | None:
        """Return the function, or None if there is none of this name."""
        ...

    def names(self) -> Iterable[str]:
        """Return the names of all functions."""
        ...

    def workflow(self, namespace: str, name: str) -> Sequence[str]:
        """Return the published versions of a workflow, newest first; none if there is no such workflow."""
        ...

    def workflows(self, namespace: str) -> Iterable[str]:
        """Return the names of the published workflows of a namespace."""
        ...

    def connections(self) -> Iterable[str]:
        """Return the names of the connections: the secrets that a document may use."""
        ...

    def users(self) -> Iterable[str]:
        """Return the names of the people who can be asked."""
        ...

    def groups(self) -> Iterable[str]:
        """Return the names of the groups of people."""
        ...


def find(catalog: Catalog, name: str) -> FunctionInfo | None:
    """Return a built-in function or one of the catalog."""
    return BUILTINS.get(name) or catalog.function(name)


def all_names(catalog: Catalog) -> list[str]:
    """Return the names of the built-in functions and of those of the catalog."""
    return [*BUILTINS, *catalog.names()]
