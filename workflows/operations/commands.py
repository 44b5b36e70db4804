"""What lets a failed run go on, and what ends a run. Running steps are never touched."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models.functions import Now

from actions.running import refuse_inside_handler
from workflows import late, rules, wake
from workflows.models import Run, Step, Subscription
from workflows.operations import editing
from workflows.operations.errors import refuse
from workflows.operations.going_on import go_on, make_ready, uncaught, unpark
from workflows.operations.locking import Line, Locked, idle_steps, lock, lock_line, record
from workflows.operations.together import in_one_transaction


@in_one_transaction
def retry(
    run_id: uuid.UUID,
    *,
    actor: str,
    reason: str,
    edits: Mapping[str, Any] | None = None,
    confirmed: bool = False,
) -> None:
    """Retry a failed run from the failed step, with all its attempts anew. Children that failed are retried with it,
    and the runs that are parked on it go on.

    `edits` gives calls that failed another input, by step key; `confirmed` says that somebody knows what became of an
    attempt whose outcome is unknown. Raises UnknownRun, UnknownStep, NotAllowed, AnswerInvalid.
    """
    refuse_inside_handler("retry a run")
    line = lock_line(run_id, above=True)
    run = line.head.run
    refuse(rules.retry_refusal(run.state, run.resolved_at, run.reason))
    edited = editing.edit(run, edits or {}, confirmed=confirmed)
    notes = [
        (member, "run.retried", _retry(member, edited if member is line.head else {})) for member in _to_retry(line)
    ]
    record(notes + unpark(line), actor, reason)
    wake.workers()


@in_one_transaction
def cancel(run_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """End a run and the open runs that it started; a step that is running finishes without effect on it.

    Raises UnknownRun, NotAllowed.
    """
    refuse_inside_handler("cancel a run")
    waiting = Run.objects.filter(pk=run_id).values_list("parent_step", flat=True).first()
    if waiting:
        wake.lock(waiting)  # before the run itself: who ends the runs that a step has started holds the step already
    line = lock_line(run_id)
    refuse(rules.cancel_refusal(line.head.run.state))
    end(line.family, actor, reason)
    if waiting:
        wake.step(waiting)


@in_one_transaction
def resolve(run_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """Take a failed run off the list of what needs a person: it was settled in another way.

    Raises UnknownRun, NotAllowed.
    """
    refuse_inside_handler("resolve a run")
    locked = lock(run_id)
    refuse(rules.resolve_refusal(locked.run.state, locked.run.resolved_at))
    Run.objects.filter(pk=run_id).update(resolved_at=Now())
    record([(locked, "run.resolved", {"was": locked.run.reason})], actor, reason)


def end(members: Sequence[Locked], actor: str, reason: str) -> None:
    """Cancel runs that are locked, with all that is open in them."""
    runs = [member.run for member in members]
    end_steps(runs)
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(state="cancelled", reason="", finished_at=Now())
    record([(member, "run.cancelled", {"was": member.run.state}) for member in members], actor, reason, close=True)


def end_steps(runs: Sequence[Run]) -> None:
    """Cancel the steps of runs that nobody executes; nothing is listened for any more."""
    idle = [step.pk for step in idle_steps(runs)]
    Step.objects.filter(pk__in=idle).update(state="cancelled", finished_at=Now())
    late.cancelled(idle)
    Subscription.objects.filter(step__run__in=runs).delete()


def _to_retry(line: Line) -> Iterator[Locked]:
    """Yield the run and, below it, the failed runs on whose end it is parked."""
    parked: set[uuid.UUID] = set()
    for member in line.family:
        run = member.run
        refusal = rules.retry_refusal(run.state, run.resolved_at, run.reason)
        if member is line.head or (run.parent_step in parked and not refusal):
            parked |= {step.id for step in uncaught(run)}
            yield member


def _retry(member: Locked, edited: Mapping[str, Any]) -> dict[str, Any]:
    """Make the failed steps of a run ready; return what to record."""
    failed = uncaught(member.run)
    for step in failed:
        make_ready(step, edited=step.key in edited)
    go_on(member, rules.UNDOING if member.run.reason == "undo_failed" else "")
    return {"steps": [step.key for step in failed]} | ({"edited": dict(edited)} if edited else {})
