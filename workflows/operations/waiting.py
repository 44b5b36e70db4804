"""Wait until a run has come to rest, for callers that want the result in the same request."""

import time
import uuid

from workflows.models import Run

RESTED = ("succeeded", "cancelled", "failed")
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.25


def wait_for(run_id: uuid.UUID, seconds: float) -> None:
    """Return when the run has finished or failed, or after `seconds`."""
    until, pause = time.monotonic() + seconds, FIRST_PAUSE
    while time.monotonic() < until:
        if Run.objects.filter(pk=run_id, state__in=RESTED).exists():
            return
        time.sleep(min(pause, max(0.0, until - time.monotonic())))
        pause = min(pause * 1.5, LONGEST_PAUSE)
