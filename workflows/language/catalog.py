"""What the language needs to know of the functions that a workflow may call, and of the tools that check it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from workflows.language.builtins import BUILTINS

# (jq text, variables available there without `$`) -> what is wrong with it
CompileExpression = Callable[[str, frozenset[str]], str | None]
# a JSON Schema -> (pointer into it, message) for everything that keeps it from being enforced
CheckSchema = Callable[[Any], Iterable[tuple[str, str]]]


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


class Catalog(Protocol):
    """The functions that exist here beside the built-in ones."""

    def function(self, name: str) -> FunctionInfo | None:
        """Return the function, or None if there is none of this name."""
        ...

    def names(self) -> Iterable[str]:
        """Return the names of all functions."""
        ...


def find(catalog: Catalog, name: str) -> FunctionInfo | None:
    """Return a built-in function or one of the catalog."""
    return BUILTINS.get(name) or catalog.function(name)


def all_names(catalog: Catalog) -> list[str]:
    """Return the names of the built-in functions and of those of the catalog."""
    return [*BUILTINS, *catalog.names()]
