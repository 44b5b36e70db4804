"""What people see of a run: a word derived from state and reason, and the colour it is shown in."""

from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_noop as _

LABELS: dict[str, tuple[str, str]] = {
    "pending": (_("Pending"), "queued"),
    "running": (_("Running"), "running"),
    "undoing": (_("Undoing"), "running"),
    "waiting": (_("Waiting"), "waiting"),
    "waiting_person": (_("Waiting for a person"), "waiting"),
    "waiting_event": (_("Waiting for an event"), "waiting"),
    "waiting_child": (_("Waiting for a run"), "waiting"),
    "retrying": (_("Retrying"), "retrying"),
    "blocked": (_("Blocked"), "retrying"),
    "suspended": (_("Suspended"), "waiting"),
    "dead_letter": (_("Dead letter"), "failed"),
    "timed_out": (_("Timed out"), "failed"),
    "poisoned": (_("Poisoned"), "failed"),
    "quarantined": (_("Quarantined"), "failed"),
    "undo_failed": (_("Undo failed"), "failed"),
    "resolved": (_("Resolved"), "cancelled"),
    "succeeded": (_("Succeeded"), "succeeded"),
    "cancelled": (_("Cancelled"), "cancelled"),
    "undone": (_("Undone"), "compensated"),
}
_UNRESOLVED = Q(state="failed", resolved_at__isnull=True)
UNRESOLVED = _UNRESOLVED & ~Q(reason="undone")
CONDITIONS: dict[str, Q] = {
    "pending": Q(state="pending"),
    "running": Q(state="running") & ~Q(reason="undoing"),
    "undoing": Q(state="running", reason="undoing"),
    "waiting": Q(state="waiting") & ~Q(reason__in=["back_off", "blocked"]),
    "waiting_person": Q(state="waiting", reason="person"),
    "waiting_event": Q(state="waiting", reason="event"),
    "waiting_child": Q(state="waiting", reason="child"),
    "retrying": Q(state="waiting", reason="back_off"),
    "blocked": Q(state="waiting", reason="blocked"),
    "suspended": Q(state="suspended"),
    "dead_letter": _UNRESOLVED & ~Q(reason__in=["timed_out", "poisoned", "quarantined", "undo_failed", "undone"]),
    "timed_out": _UNRESOLVED & Q(reason="timed_out"),
    "poisoned": _UNRESOLVED & Q(reason="poisoned"),
    "quarantined": _UNRESOLVED & Q(reason="quarantined"),
    "undo_failed": _UNRESOLVED & Q(reason="undo_failed"),
    "resolved": Q(state="failed", resolved_at__isnull=False),
    "succeeded": Q(state="succeeded"),
    "cancelled": Q(state="cancelled") & ~Q(reason="undone"),
    # The states by themselves: the database finds no index for them inside an OR.
    "undone": Q(reason="undone", state__in=["cancelled", "failed"]) & (Q(state="cancelled") | _UNRESOLVED),
}
_REASONS = {
    ("waiting", "back_off"): "retrying",
    ("waiting", "blocked"): "blocked",
    ("waiting", "person"): "waiting_person",
    ("waiting", "event"): "waiting_event",
    ("waiting", "child"): "waiting_child",
    ("running", "undoing"): "undoing",
    ("failed", "undo_failed"): "undo_failed",
    ("cancelled", "undone"): "undone",
    ("failed", "undone"): "undone",
    ("failed", "timed_out"): "timed_out",
    ("failed", "poisoned"): "poisoned",
    ("failed", "quarantined"): "quarantined",
}


def label(state: str, reason: str, resolved_at: datetime | None = None) -> str:
    """Return the label of a run in this state."""
    if state == "failed" and resolved_at is not None:
        return "resolved"
    return _REASONS.get((state, reason), "dead_letter" if state == "failed" else state)


def step_label(state: str, kind: str, failures: int, *, function: str = "", caught: bool = False) -> str:
    """Return the label of a step: like a run's, so that both are drawn alike."""
    if state == "ready" and failures:
        return "retrying"
    if state in ("ready", "waiting"):
        return waits(kind, function) or ("waiting" if state == "waiting" else "pending")
    if state == "failed":
        return "caught" if caught else "dead_letter"
    return "undone" if state == "succeeded" and kind == "undo" else state


_KINDS = {"wait": "waiting", "timer": "waiting", "listen": "waiting_event", "run": "waiting_child"}
_FUNCTIONS = {"approval": "waiting_person", "map": "waiting_child", "wait-until": "waiting"}


def waits(kind: str, function: str) -> str:
    """Return the label of what a step of this kind waits for, empty for one that only waits for a worker."""
    return _KINDS.get(kind) or _FUNCTIONS.get(function.partition(":")[0], "")
