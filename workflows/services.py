"""The engine's services in production: jq in its sandbox, JSON Schema through its one door."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from actions import fixed, markers
from actions.limits import check_value
from workflows import expressions
from workflows.engine.faults import fault

ANYTHING: Mapping[str, Any] = {}
NOTHING: Mapping[str, Any] = {"not": {}}


class EngineServices:
    """Evaluate expressions and check schemas for the engine."""

    def evaluate(self, expression: str, dot: Any, variables: Mapping[str, Any]) -> Any:
        """Return the value of a jq expression. Raises Fault of type `expression`."""
        try:
            return expressions.evaluate(expression, dot, variables)
        except expressions.ExpressionError as error:
            raise fault("expression", "expression failed", f"{expression}: {error}") from None

    def problems(self, schema: Mapping[str, Any] | bool, value: Any) -> list[str]:
        """Return what in `value` breaks `schema`, one sentence each."""
        document: Mapping[str, Any] = schema if isinstance(schema, Mapping) else (ANYTHING if schema else NOTHING)
        return [f"{problem.pointer or '/'}: {problem.message}" for problem in fixed.problems(document, value)]

    def unfit(self, value: Any) -> str:
        """Return why `value` breaks the limits of what is stored, or nothing."""
        found = check_value(value)
        return "; ".join(f"{problem.pointer or '/'} {problem.message}" for problem in found) if found else ""

    def secrets(self, names: Sequence[str]) -> Mapping[str, Any]:
        """Return `$secrets` (ruling R23): marks that stand for the secrets. Raises Fault of type `authorization`."""
        try:
            return markers.scope(names)
        except markers.UnknownSecret as error:
            raise fault("authorization", "secret not available", str(error)) from None

    def random(self) -> float:
        """Return a number from 0 to below 1, for jitter."""
        return random.random()  # noqa: S311 - jitter


SERVICES = EngineServices()
