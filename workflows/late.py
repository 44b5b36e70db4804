"""What undoes calls that came too late (`superseding`), when it ends without having run."""

import uuid
from collections.abc import Iterable

from workflows.models import Undo

MARK = "#late"  # in the key of a step that no scope waits for


def cancelled(steps: Iterable[uuid.UUID]) -> None:
    """Record again what cancelled steps were to undo: it is not undone, and people see that."""
    rows = Undo.objects.filter(step__in=list(steps), step__key__endswith=MARK, state="running")
    rows.update(state="recorded", step=None)
