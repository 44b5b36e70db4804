"""What an operator may do with a run or a step as it is: None when allowed, otherwise the reason why not."""

import uuid
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

SKIPPABLE = ("call", "wait", "listen", "run", "emit", "task", "undo", "join")
TIMED = ("wait", "timer")
OPEN = ("ready", "running", "waiting", "held")
UNDOING, UNDONE = "undoing", "undone"
UNSURE = gettext_noop(
    "Nobody knows whether the last attempt of {name} had its effect. Look at the receiver, then confirm that it may be "
    "called with another idempotency key."
)


def retry_refusal(state: str, resolved_at: datetime | None, reason: str = "") -> str | None:
    """Return why a run in this state cannot be retried."""
    if state != "failed":
        return _("Only a failed run can be retried; this one is {state}.").format(state=state)
    if resolved_at is not None:
        return _("This run was marked as resolved.")
    if reason == UNDONE:
        return _("What this run had done is undone, and nothing of it is left to retry: start a new run.")
    return None


def cancel_refusal(state: str) -> str | None:
    """Return why a run in this state cannot be cancelled."""
    return _over(state)


def suspend_refusal(state: str) -> str | None:
    """Return why a run in this state cannot be suspended."""
    if state == "suspended":
        return _("This run is already suspended.")
    if state == "failed":
        return _("This run failed: it rests until a person goes on with it.")
    return _over(state)


def resume_refusal(state: str) -> str | None:
    """Return why a run in this state cannot be resumed."""
    return (
        None
        if state == "suspended"
        else _("Only a suspended run can be resumed; this one is {state}.").format(state=state)
    )


def resolve_refusal(state: str, resolved_at: datetime | None) -> str | None:
    """Return why a run in this state cannot be marked as resolved."""
    if state != "failed":
        return _("Only a failed run can be marked as resolved; this one is {state}.").format(state=state)
    return None if resolved_at is None else _("This run is already marked as resolved.")


def undo_refusal(state: str, *, recorded: int, begun: bool) -> str | None:
    """Return why a run cannot be undone. `recorded` counts what is left to undo, `begun`: a person asked before."""
    if over := _over(state):
        return over
    if begun:
        return _("The undo of this run has begun; if it failed, retry the run.")
    if state == "pending":
        return _("This run has done nothing yet: cancel it.")
    if not recorded:
        return _("Nothing is left to undo: none of the finished steps says how it is undone. Cancel the run instead.")
    return None


def skip_refusal(run_state: str, kind: str, state: str, *, caught: bool) -> str | None:
    """Return why a step cannot be passed over with an output given by hand."""
    if over := _over(run_state):
        return over
    if kind == "join" and state in OPEN:
        return _("This fork is not decided: skip the steps in its branches, or wait for them.")
    if kind not in SKIPPABLE:
        return _("A step of the kind {kind} has no output that could be given by hand.").format(kind=kind)
    if state == "running":
        return _("This step is running: wait for its end, or suspend the run first.")
    if state == "failed" and caught:
        return _("The workflow caught this fault and went on.")
    return None if state in {*OPEN, "failed"} else _("This step is already {state}.").format(state=state)


def fire_refusal(run_state: str, kind: str, state: str, *, function: str, in_future: bool) -> str | None:
    """Return why a wait cannot be ended early. `in_future`: its time has not come yet."""
    if over := _over(run_state):
        return over
    if state == "held":
        return _("The run is {run_state}: go on with it first.").format(run_state=run_state)
    if state != "ready" or not in_future:
        return _("This step does not wait for a time.")
    if kind not in TIMED and function.startswith("approval:"):
        return _("This step waits for a person: answer it, or skip it.")
    return None


def erase_refusal(
    state: str, resolved_at: datetime | None, reason: str = "", *, started_by: uuid.UUID | None = None
) -> str | None:
    """Return why a run cannot be erased; `started_by` is the run at the top of those that led to it."""
    if started_by is not None:
        return _("This run was started by another one: erase the run {started_by}, with all that it started.").format(
            started_by=started_by
        )
    if state == "failed" and resolved_at is None and reason != UNDONE:
        return _("This run failed and waits for a person: resolve it or cancel it, then erase it.")
    if state in ("succeeded", "cancelled", "failed"):
        return None
    return _("Only a run that is over can be erased; this one is {state}.").format(state=state)


def pause_refusal(state: str) -> str | None:
    """Return why a schedule in this state cannot be paused."""
    return _("The schedule is paused already.") if state == "paused" else None


def resume_schedule_refusal(state: str) -> str | None:
    """Return why a schedule in this state cannot be resumed."""
    return None if state == "paused" else _("The schedule is not paused.")


def run_now_refusal(kind: str) -> str | None:
    """Return why a schedule of this kind cannot be run now."""
    return _("It starts by events: send one that it waits for.") if kind == "on" else None


def edit_refusal(
    run_state: str, resolved_at: datetime | None, reason: str, *, kind: str, state: str, caught: bool, known: bool
) -> str | None:
    """Return why a step cannot be retried with another input. `known`: it calls an action."""
    if refusal := retry_refusal(run_state, resolved_at, reason):
        return refusal
    if kind == "undo":
        return _("What undoes a step takes what that step was given: retry it as it is, or skip it.")
    if kind != "call" or not known:
        return _("Only a call of an action has an input that can be edited.")
    if state == "failed" and caught:
        return _("The workflow caught this fault and went on.")
    return (
        None if state == "failed" else _("Only a failed step can be retried; this one is {state}.").format(state=state)
    )


def again_refusal(state: str) -> str | None:
    """Return why a run in this state cannot be run again."""
    over = state in ("succeeded", "cancelled", "failed")
    return (
        None
        if over
        else _("This run is not over, it is {state}: cancel it first, or start another run.").format(state=state)
    )


def resend_refusal(state: str, attempts: int, *, under_way: bool) -> str | None:
    """Return why a message cannot be sent again, or at once. `under_way`: it is being sent."""
    if under_way:
        return "This message is being sent at this moment."
    if state == "waiting":
        return None if attempts else "This message goes out by itself: it has not been tried yet."
    did_not_arrive = state in ("dead", "gone")
    return None if did_not_arrive else f"Only messages that did not arrive are sent again; this one is {state}."


def pause_queue_refusal(*, paused: bool) -> str | None:
    """Return why a queue cannot be paused."""
    return _("This queue is paused already.") if paused else None


def resume_queue_refusal(*, paused: bool) -> str | None:
    """Return why a queue cannot be resumed."""
    return None if paused else _("This queue is not paused.")


def drain_refusal(*, stopped: bool, draining: bool) -> str | None:
    """Return why a worker cannot be drained."""
    if stopped:
        return _("This worker has ended.")
    return _("This worker takes no further step already.") if draining else None


def undrain_refusal(*, stopped: bool, draining: bool) -> str | None:
    """Return why a worker cannot go on."""
    if stopped:
        return _("This worker has ended.")
    return None if draining else _("This worker is not drained.")


def answer_refusal(run_state: str, kind: str, state: str, function: str) -> str | None:
    """Return why a step cannot be answered."""
    if kind != "call" or not function.startswith("approval:"):
        return _("This step does not ask a person.")
    if over := _over(run_state):
        return over
    return None if state in OPEN else _("This approval is over: the step is {state}.").format(state=state)


def _over(state: str) -> str | None:
    if state == "cancelled":
        return _("This run was already cancelled.")
    return _("This run has already succeeded.") if state == "succeeded" else None
