"""The published actions as the catalog of the language, and the checks of a document with all tools wired in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from actions import schemas
from actions.models import Action, ActionVersion
from workflows import expressions
from workflows.language import FunctionInfo, Problem, validate


@dataclass
class ActionInfo:
    """An action with its published versions."""

    action: Action

    @cached_property
    def _published(self) -> dict[str, ActionVersion]:
        rows = self.action.versions.filter(state=ActionVersion.State.PUBLISHED)
        return {row.version: row for row in sorted(rows, key=_number, reverse=True)}

    @property
    def versions(self) -> list[str]:
        """Return the published versions, highest first."""
        return list(self._published)

    def input_schema(self, version: str) -> Mapping[str, Any]:
        """Return the JSON Schema of the arguments."""
        schema: dict[str, Any] = self._published[version].input_schema
        return schema

    def check_input(self, version: str, value: Any) -> Iterable[tuple[str, str]]:
        """Return (pointer, message) of what is wrong with the arguments."""
        return [(problem.pointer, problem.message) for problem in schemas.problems(self.input_schema(version), value)]


class ActionCatalog:
    """Reads each action once: one catalog serves one validation."""

    def __init__(self) -> None:
        self._known: dict[str, ActionInfo | None] = {}

    def function(self, name: str) -> FunctionInfo | None:
        """Return the action of this name, or None."""
        if name not in self._known:
            action = Action.objects.filter(name=name).first()
            self._known[name] = ActionInfo(action) if action else None
        return self._known[name]

    def names(self) -> list[str]:
        """Return the names of all actions."""
        return list(Action.objects.values_list("name", flat=True))


def problems_of(document: Any, catalog: ActionCatalog | None = None) -> list[Problem]:
    """Return everything that keeps a workflow document from being published."""
    return validate(
        document, catalog or ActionCatalog(), compile_expression=expressions.compiles, check_schema=_schema_problems
    )


def _schema_problems(schema: Any) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.message) for problem in schemas.check_schema(schema)]


def _number(row: ActionVersion) -> tuple[int, ...]:
    return tuple(map(int, row.version.split(".")))
