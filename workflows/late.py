"""What undoes calls that came too late (`superseding`), when it ends without having run."""

import uuid
from collections.abc import Iterable

from workflows.models import Undo

MARK = "#late"  # in the key of a step that no scope waits for


def is_late(key: str) -> bool:
    """Tell whether the step with this key undoes something that no scope waits for."""
    return key.endswith(MARK)


def cancelled(steps: Iterable[uuid.UUID]) -> None:
    """Record again what cancelled steps were to undo: it is not undone, and people see that.

    One that still runs among them tells its own end.
    """
    rows = Undo.objects.filter(step__in=list(steps), step__key__endswith=MARK, state="running")
    rows.filter(step__state="cancelled").update(state="recorded", step=None)
