"""Stored values as people may see them: references resolved, sensitive fields masked."""

from collections.abc import Iterable
from typing import Any

from actions import markers
from actions.sensitive import mask
from workflows import payloads
from workflows.models import Attempt, Run, Step


class Opener:
    """Resolves payload references of one run and masks what is sensitive, unless it may be revealed."""

    def __init__(self, run: Run, stored: Iterable[Any], *, reveal: bool = False) -> None:
        self._found = payloads.load(run.id, stored)
        self._reveal = reveal
        self._opened: dict[tuple[str, int], tuple[Any, Any]] = {}

    def open(self, value: Any, schema: Any = None) -> Any:
        """Return the value that is meant, sensitive fields masked by the schema and by their names.

        A large value that one step hands to the next is masked once for each schema.
        """
        if not payloads.is_reference(value):
            return self._masked(value, schema)
        known = (value[payloads.REFERENCE], id(schema))
        if known not in self._opened:
            self._opened[known] = (
                schema,
                self._masked(value, schema),
            )  # keeps the schema, so that its id stays its own
        return self._opened[known][1]

    def _masked(self, value: Any, schema: Any) -> Any:
        try:
            resolved = markers.shorten(payloads.resolve(value, self._found))
        except KeyError:  # the run was deleted while it was read
            return None
        return resolved if self._reveal else mask(schema or {}, resolved)


def cells_of_run(found: Run) -> list[Any]:
    """Return the values of a run, as stored."""
    return [found.input, found.output, found.error, found.context]


def cells_of_steps(steps: Iterable[Step], attempts: Iterable[Attempt]) -> list[Any]:
    """Return the values of steps and attempts, as stored."""
    cells = [cell for step in steps for cell in (step.input, step.output, step.error)]
    return [*cells, *(cell for each in attempts for cell in (each.input, each.output, each.error, each.log))]
