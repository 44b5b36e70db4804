"""What a function returns when it has to wait for something."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Rest:
    """Wait until `wake.step` is called for the step, or until `due_at`; then the function is called again.

    `reason` is what it waits for: person, child, event or timer.
    """

    reason: str
    due_at: datetime | None = None
