"""A catalog of two actions, and the real expression compiler, for tests of the language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actions import schemas
from workflows.expressions import compile_all, compiles
from workflows.language import FunctionInfo, Problem, load, validate
from workflows.occurrences import cron_problem

CHARGE = {
    "type": "object",
    "properties": {
        "customer_id": {"type": "string"},
        "amount": {"type": "number", "exclusiveMinimum": 0},
        "currency": {"enum": ["EUR", "USD"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["customer_id", "amount"],
    "additionalProperties": False,
}
CANCEL = {"type": "object", "properties": {"id": {"type": "string"}, "customer_id": {"type": "string"}}}


@dataclass
class Info:
    versions: list[str]
    schema: Mapping[str, Any] = field(default_factory=dict)
    undone_by: str = ""

    def input_schema(self, version: str) -> Mapping[str, Any]:
        return self.schema

    def check_input(self, version: str, value: Any) -> Iterable[tuple[str, str]]:
        return [(problem.pointer, problem.message) for problem in schemas.problems(self.schema, value)]

    def undo(self, version: str) -> str:
        return self.undone_by


class Actions:
    known: Mapping[str, Info] = {
        "charge-card": Info(["1.2.0", "1.0.0"], CHARGE),
        "send-mail": Info(["2.0.0"]),
        "unpublished": Info([]),
        "book-car": Info(["1.0.0"], CHARGE, "cancel-car"),
        "cancel-car": Info(["1.1.0", "1.0.0"], CANCEL),
        "book-boat": Info(["1.0.0"], {}, "cancel-boat"),
    }

    def function(self, name: str) -> FunctionInfo | None:
        return self.known.get(name)

    def names(self) -> list[str]:
        return list(self.known)

    def workflow(self, namespace: str, name: str) -> list[str]:
        return ["2.1.0", "2.0.0"] if (namespace, name) == ("demo", "invoice") else []

    def workflows(self, namespace: str) -> list[str]:
        return ["invoice"] if namespace == "demo" else []

    def connections(self) -> list[str]:
        return ["crm-password"]

    def users(self) -> list[str]:
        return ["ada"]

    def groups(self) -> list[str]:
        return ["Admin", "Operator"]


def problems(document: Any) -> list[Problem]:
    return validate(
        document,
        Actions(),
        compile_expression=compiles,
        check_schema=lambda schema: [(found.pointer, found.message) for found in schemas.check_schema(schema)],
        check_cron=cron_problem,
        compile_all=compile_all,
    )


def document(tasks: str, **more: Any) -> dict[str, Any]:
    """Return a document whose `do` is the given YAML."""
    about = {"dsl": "1.0.3", "namespace": "demo", "name": "story", "version": "1.0.0"}
    return {"document": about, "do": load(f"do:\n{tasks}")["do"], **more}


def texts(tasks: str, **more: Any) -> list[str]:
    return [str(problem) for problem in problems(document(tasks, **more))]
