"""The values of a run itself, as people may see them."""

import uuid
from dataclasses import dataclass
from typing import Any

from workflows.models import Run
from workflows.queries.opening import Opener, cells_of_run


@dataclass(frozen=True, slots=True)
class RunValues:
    """What a run got, gave, exported on its way, and failed with."""

    input: Any
    output: Any
    context: Any
    error: Any


def values_of(run_id: uuid.UUID) -> RunValues | None:
    """Return the values of a run, masked, or None without such a run."""
    found = Run.objects.select_related("workflow_version", "action_version").filter(pk=run_id).first()
    if found is None:
        return None
    definition: Any = found.workflow_version or found.action_version
    opener = Opener(found, cells_of_run(found))
    return RunValues(
        input=opener.open(found.input, definition.input_schema),
        output=opener.open(found.output, getattr(definition, "output_schema", {})),
        context=opener.open(found.context),
        error=opener.open(found.error),
    )
