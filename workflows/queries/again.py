"""A run as what another run is made from: its input as it may be shown, and whether it may be run again."""

import uuid
from dataclasses import dataclass
from typing import Any

from workflows import rules
from workflows.models import Run
from workflows.queries.opening import Opener


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """A run with its masked input. `refusal` says why it cannot be run again."""

    id: uuid.UUID
    kind: str
    name: str
    title: str
    version: str
    tags: list[str]
    input: Any
    refusal: str | None


def former(run_id: uuid.UUID) -> Former | None:
    """Return a run to begin with, or None without such a run."""
    found = Run.objects.select_related("workflow_version", "action_version").filter(pk=run_id).first()
    if found is None:
        return None
    definition: Any = found.workflow_version or found.action_version
    return Former(
        id=found.id,
        kind=found.kind,
        name=found.name,
        title=found.title or found.key or f"…{str(found.id)[-8:]}",
        version=definition.version,
        tags=list(found.tags),
        input=Opener(found, [found.input]).open(found.input, definition.input_schema),
        refusal=rules.again_refusal(found.state),
    )
