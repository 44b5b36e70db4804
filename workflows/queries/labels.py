"""What people see of a run: a word derived from state and reason, and the colour it is shown in."""

from datetime import datetime

from django.db.models import Q

LABELS: dict[str, tuple[str, str]] = {
    "pending": ("Pending", "queued"),
    "running": ("Running", "running"),
    "waiting": ("Waiting", "waiting"),
    "retrying": ("Retrying", "retrying"),
    "blocked": ("Blocked", "retrying"),
    "suspended": ("Suspended", "waiting"),
    "dead_letter": ("Dead letter", "failed"),
    "timed_out": ("Timed out", "failed"),
    "poisoned": ("Poisoned", "failed"),
    "resolved": ("Resolved", "cancelled"),
    "succeeded": ("Succeeded", "succeeded"),
    "cancelled": ("Cancelled", "cancelled"),
}
_UNRESOLVED = Q(state="failed", resolved_at__isnull=True)
CONDITIONS: dict[str, Q] = {
    "pending": Q(state="pending"),
    "running": Q(state="running"),
    "waiting": Q(state="waiting") & ~Q(reason__in=["back_off", "blocked"]),
    "retrying": Q(state="waiting", reason="back_off"),
    "blocked": Q(state="waiting", reason="blocked"),
    "suspended": Q(state="suspended"),
    "dead_letter": _UNRESOLVED & ~Q(reason__in=["timed_out", "poisoned"]),
    "timed_out": _UNRESOLVED & Q(reason="timed_out"),
    "poisoned": _UNRESOLVED & Q(reason="poisoned"),
    "resolved": Q(state="failed", resolved_at__isnull=False),
    "succeeded": Q(state="succeeded"),
    "cancelled": Q(state="cancelled"),
}
_REASONS = {
    ("waiting", "back_off"): "retrying",
    ("waiting", "blocked"): "blocked",
    ("failed", "timed_out"): "timed_out",
    ("failed", "poisoned"): "poisoned",
}


def label(state: str, reason: str, resolved_at: datetime | None = None) -> str:
    """Return the label of a run in this state."""
    if state == "failed" and resolved_at is not None:
        return "resolved"
    return _REASONS.get((state, reason), "dead_letter" if state == "failed" else state)


def step_label(state: str, kind: str, failures: int) -> str:
    """Return the label of a step: like a run's, so that both are drawn alike."""
    if state == "ready":
        return "retrying" if failures else ("waiting" if kind == "wait" else "pending")
    return {"failed": "dead_letter", "held": "suspended", "skipped": "cancelled"}.get(state, state)
