"""The scenario tables: one YAML file per part of the language, a list of cases each.

name       unique, a sentence in words with dashes      covers     the rulings (R9) and rows (`rows.yaml`) it shows
workflow   a document; its head is implied. As text it is published as it stands
others     more workflows, published first              input      the run's input
answers    what the tasks of a name answer, call after call: see `tests.support.answers`
messages   what happens while the run rests, one after another: {event: {...}} (with `early: true`: before the first
           task begins), {answer: {decision, data}} of an approval, {fire: timer}. Behind the last one, timers fire
           as they fall due, unless the run is to rest
output     the run succeeds with it                     error      the run fails with at least these members
resting    the run ends up waiting for this             refused    the document is not published: all problems
path       the tasks that ran, without those that only hold others
calls      what the table's actions were called with    undone     what compensations were called with, in order
drivers    pure, database or both (the default)

In what is expected, `<any>` matches everything and `<run>` stands for the run's id; a `type` of an error may be the
short name of a standard one, its `detail` a part of the text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from workflows.language import loader

HERE = Path(__file__).parent
ABSENT: Any = object()
ENDS = ("output", "error", "resting", "refused")
DATA = ("input", "output", "workflow")
LARGEST = 1 << 20
HEAD = {"dsl": "1.0.3", "namespace": "tests", "name": "story", "version": "1.0.0"}
TEXT_HEAD = "document: {dsl: 1.0.3, namespace: tests, name: story, version: 1.0.0}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of a table; see the module."""

    name: str
    covers: tuple[str, ...]
    workflow: Any
    others: tuple[Any, ...] = ()
    input: Any = None
    answers: Mapping[str, Any] | None = None
    messages: tuple[Mapping[str, Any], ...] = ()
    output: Any = ABSENT
    error: Mapping[str, Any] | None = None
    resting: str | None = None
    refused: tuple[Mapping[str, str], ...] = ()
    path: tuple[str, ...] | None = None
    calls: tuple[Any, ...] | None = None
    undone: tuple[Any, ...] | None = None
    drivers: tuple[str, ...] = ("pure", "database")

    @property
    def passes(self) -> bool:
        """Tell whether the document is accepted and the run does not fail."""
        return not self.refused and self.error is None

    @property
    def documents(self) -> tuple[Any, ...]:
        """Return the documents to publish, each as a mapping or as text; the last one is run."""
        return tuple(with_head(workflow) for workflow in (*self.others, self.workflow))


def with_head(workflow: Any) -> Any:
    """Return a document with a head, as a mapping or as text."""
    if isinstance(workflow, str):
        return workflow if workflow.startswith(("document", "{", "%", "&")) else TEXT_HEAD + workflow
    return workflow if "document" in workflow else {"document": HEAD, **workflow}


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """Return all cases of all tables. Raises ValueError for a row that cannot be one."""
    found = tuple(case for file in sorted((HERE / "cases").glob("*.yaml")) for case in _read(file))
    names = [case.name for case in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"names of cases that are there twice: {', '.join(sorted(twice))}")
    return found


def load(file: Path) -> Any:
    """Return what is in one of the tables, read as strictly as a workflow document."""
    return loader.load(file.read_text(), limit=LARGEST)


def _read(file: Path) -> Iterator[Case]:
    known = {part.name for part in fields(Case)}
    for row in load(file)["cases"]:
        where = f"{file.name}: {row.get('name', row)}"
        if unknown := set(row) - known:
            raise ValueError(f"{where} has unknown members: {', '.join(sorted(unknown))}")
        if sum(end in row for end in ENDS) != 1:
            raise ValueError(f"{where} expects exactly one of {', '.join(ENDS)}")
        lists = {key: tuple(value) for key, value in row.items() if isinstance(value, list) and key not in DATA}
        yield Case(**row | lists)
