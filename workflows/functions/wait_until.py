"""Wait until a moment: `wait` knows durations only."""

from datetime import datetime

from actions.errors import ActionError
from workflows import inbox
from workflows.functions.rest import Rest
from workflows.job import Job
from workflows.language.durations import LONGEST_WAIT


def wait_until(job: Job) -> Rest | None:
    """Rest until the moment `at`, or until a person ends the wait. Raises ActionError `invalid_input` for what is no
    moment, or too far away.
    """
    at, now = _moment(job.input["at"]), job.now()
    if at <= now or inbox.ended_by_hand(job):
        return None
    if at - now > LONGEST_WAIT:
        message = f"at: {at.isoformat()} is more than {LONGEST_WAIT.days} days away"
        raise ActionError("invalid_input", message, retryable=False)
    return Rest("timer", at)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.upper())
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        message = f"at: {text[:40]!r} is no time with a zone, such as 2026-01-31T09:00:00+01:00"
        raise ActionError("invalid_input", message, retryable=False)
    return at
