"""Repair a single step: pass it over with an output given by hand, or end its wait early."""

import uuid
from collections.abc import Callable
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from actions import schemas
from actions.limits import check_value
from actions.running import refuse_inside_handler
from dotdo_site.lib import canonical
from workflows import cutting, rules, wake
from workflows.models import Message, Run, Step, Subscription
from workflows.operations.commands import end
from workflows.operations.errors import AnswerInvalid, NotAllowed, UnknownStep, refuse
from workflows.operations.going_on import busy, go_on, unpark
from workflows.operations.locking import Line, lock_line, record
from workflows.operations.lookup import near_keys
from workflows.operations.together import in_one_transaction


@in_one_transaction
def skip(run_id: uuid.UUID, key: str, output: Any, *, actor: str, reason: str) -> None:
    """Let the workflow go on as if the step had given this output; what the step waits for is cancelled.

    Raises UnknownRun, UnknownStep, NotAllowed, AnswerInvalid.
    """
    refuse_inside_handler("skip a step")
    line = lock_line(run_id, above=True)
    state = line.head.run.state
    step = _idle(run_id, key, lambda step: rules.skip_refusal(state, step.kind, step.state, caught=step.caught))
    _check(step, output)
    data = {"skip": True, "output": output, "by": actor, "reason": reason}
    Message.objects.create(run_id=run_id, step=step, kind="answer", data=data, created_at=Now())
    Subscription.objects.filter(step=step).delete()
    end(_below(line, step), actor, reason)
    if step.kind == "join":
        _leave_branches(step, actor)
    failed = step.state == "failed"
    notes = _repaired(line, step) if failed else []
    if not failed:
        wake.step(step.id)
    facts = {"step": key, "name": step.name, "was": step.state, "output": canonical.digest(output)}
    record([(line.head, "step.skipped", facts), *notes], actor, reason)
    wake.workers()


@in_one_transaction
def fire_timer(run_id: uuid.UUID, key: str, *, actor: str, reason: str) -> None:
    """Make a wait, a deadline or a back-off due now. Raises UnknownRun, UnknownStep, NotAllowed."""
    refuse_inside_handler("fire a timer")
    head = lock_line(run_id).head
    step = _idle(run_id, key, lambda step: _not_a_timer(head.run, step))
    if step.function.startswith("wait-until:") and not step.failures:  # it looks at the clock itself, so it is told
        data = {"fire": True, "by": actor, "reason": reason}
        Message.objects.create(run_id=run_id, step=step, kind="answer", data=data, created_at=Now())
        wake.step(step.id)
    else:
        Step.objects.filter(pk=step.pk).update(due_at=Now())
    facts = {"step": key, "name": step.name, "due_at": step.due_at.isoformat()}
    record([(head, "timer.fired", facts)], actor, reason)
    wake.workers()


def _idle(run_id: uuid.UUID, key: str, refusal: Callable[[Step], str | None]) -> Step:
    """Return the step with this key, locked. Nothing waits here: who works on a step may be waiting for its run.

    Raises UnknownStep, NotAllowed.
    """
    found = Step.objects.filter(run=run_id, key=key).select_related("action_version")
    seen = found.first()
    if seen is None:
        raise UnknownStep(run_id, key, near_keys(run_id, key))
    refuse(refusal(seen))
    step = found.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
    if step is None:
        raise NotAllowed("This step is being worked on at this moment: look again, then decide.")
    refuse(refusal(step))
    return step


def _not_a_timer(run: Run, step: Step) -> str | None:
    later = Step.objects.filter(pk=step.pk, due_at__gt=Now()).exists()
    return rules.fire_refusal(run.state, step.kind, step.state, function=step.function, in_future=later)


def _check(step: Step, output: Any) -> None:
    version = None if step.kind == "undo" else step.action_version  # nobody looks at what an undo returns
    schema = version.output_schema if version else {}
    problems = check_value(output) or schemas.problems(schema, output)
    if problems:
        raise AnswerInvalid("output", problems)


def _below(line: Line, step: Step) -> list[Any]:
    """Return the open runs that the step started, and those below them."""
    found, steps = [], {step.id}
    for member in line.family[1:]:
        if member.run.parent_step in steps:
            found.append(member)
            steps |= set(Step.objects.filter(run=member.run).values_list("pk", flat=True))
    return found


def _leave_branches(join: Step, actor: str) -> None:
    """Close the branches of a fork that is passed over, before what is held in them could begin."""
    inside = Step.objects.filter(run=join.run_id, branch__frame__startswith=f"{join.key}/fork/branches/")
    inside.filter(state="failed", caught=False).update(state="cancelled", finished_at=Now())
    cutting.end_step(join.run_id, join.pk, join.kind, join.function, actor=actor)


def _repaired(line: Line, step: Step) -> list[Any]:
    """Make a failed step ready; its run, and those that are parked on it, go on unless they are parked elsewhere."""
    Step.objects.filter(pk=step.pk).update(state="ready", due_at=Now(), finished_at=None, wake=F("wake") + 1)
    busy(step)
    if not go_on(line.head, rules.UNDOING if line.head.run.reason == "undo_failed" else ""):
        return []
    return unpark(line)
