"""Publish without a database: a document -> problems, or the program that the engine runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from actions import registry, schemas
from tests.support import answers
from workflows.expressions import compiles
from workflows.language import FunctionInfo, LoadError, Problem, Program, build, load, lock_functions, stored, validate
from workflows.occurrences import cron_problem

# the secrets that documents may use; the hosts of the stand-in may see them
CONNECTIONS: Mapping[str, str | Mapping[str, str]] = {
    "shop": "swordfish",
    "bank": {"username": "ada", "password": "secret"},
}


@dataclass(frozen=True, slots=True)
class TableFunction:
    """One of the table's actions, as the language sees it."""

    schemas_by_version: Mapping[str, Mapping[str, Any]]
    undone_by: str

    @property
    def versions(self) -> Sequence[str]:
        return list(self.schemas_by_version)

    def input_schema(self, version: str) -> Mapping[str, Any]:
        return self.schemas_by_version[version]

    def check_input(self, version: str, value: Any) -> list[tuple[str, str]]:
        found = schemas.problems(self.schemas_by_version[version], value)
        return [(problem.pointer, problem.message) for problem in found]

    def undo(self, version: str) -> str:
        return self.undone_by


@dataclass
class TableCatalog:
    """The table's actions, two connections, and the workflows that were published before."""

    published: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def function(self, name: str) -> FunctionInfo | None:
        specs = [spec for spec in registry.specs() if spec.name == name and name in answers.NAMES]
        found = {spec.version: spec.contract.input_schema for spec in reversed(specs)}
        return TableFunction(found, specs[-1].contract.undo) if found else None

    def names(self) -> Iterable[str]:
        return answers.NAMES

    def workflow(self, namespace: str, name: str) -> Sequence[str]:
        return list(self.published.get((namespace, name), ()))

    def workflows(self, namespace: str) -> Iterable[str]:
        return [name for space, name in self.published if space == namespace]

    def connections(self) -> Iterable[str]:
        return CONNECTIONS

    def users(self) -> Iterable[str]:
        return ("ada",)

    def groups(self) -> Iterable[str]:
        return ("Operator",)

    def add(self, program: Program) -> None:
        """Let later documents start a workflow; the newest version comes first."""
        self.published.setdefault((program.namespace, program.name), []).insert(0, program.version)


def problems(document: Any, catalog: TableCatalog) -> list[Problem]:
    """Return what keeps a document, given as text or as data, from being published."""
    try:
        data = load(document) if isinstance(document, str) else document
    except LoadError as error:
        return [Problem("", str(error))]
    return validate(
        data,
        catalog,
        compile_expression=compiles,
        check_schema=lambda schema: [(found.pointer, found.message) for found in schemas.check_schema(schema)],
        check_cron=cron_problem,
    )


def program(document: Any, catalog: TableCatalog) -> Program:
    """Return the program of a document without problems."""
    data = stored(load(document) if isinstance(document, str) else document)
    return build(data, lock_functions(data, catalog))


def text_of(document: Any) -> str:
    """Return the document as an author would write it."""
    return document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
