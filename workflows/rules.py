"""What an operator may do with a run as it is: None when allowed, otherwise the reason why not."""

from datetime import datetime


def retry_refusal(state: str, resolved_at: datetime | None) -> str | None:
    """Return why a run in this state cannot be retried."""
    if state != "failed":
        return f"Only a failed run can be retried; this one is {state}."
    if resolved_at is not None:
        return "This run was marked as resolved."
    return None


def cancel_refusal(state: str) -> str | None:
    """Return why a run in this state cannot be cancelled."""
    return f"This run has already {state}." if state == "succeeded" else _cancelled(state)


def _cancelled(state: str) -> str | None:
    return "This run was already cancelled." if state == "cancelled" else None
