"""Suspend runs and let them go on, with the open runs that they started."""

import uuid
from collections import defaultdict
from collections.abc import Sequence

from django.db.models.functions import Now

from actions.running import refuse_inside_handler
from workflows import rules, wake
from workflows.approvals import FUNCTION as APPROVAL
from workflows.models import Run, Step
from workflows.operations.errors import refuse
from workflows.operations.going_on import Freed, free
from workflows.operations.locking import idle_steps, lock_line, record
from workflows.operations.together import in_one_transaction


@in_one_transaction
def suspend(run_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """Begin nothing more in a run and in those below it, until `resume`; what is running finishes and is recorded.

    Raises UnknownRun, NotAllowed.
    """
    refuse_inside_handler("suspend a run")
    line = lock_line(run_id)
    refuse(rules.suspend_refusal(line.head.run.state))
    going = [member for member in line.family if not rules.suspend_refusal(member.run.state)]
    runs = [member.run for member in going]
    idle = [step.pk for step in idle_steps(runs) if step.state in {"ready", "waiting"}]
    Step.objects.filter(pk__in=idle).update(state="held")
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(state="suspended", reason="", stopped_at=Now())
    record([(member, "run.suspended", {"was": member.run.state}) for member in going], actor, reason)


@in_one_transaction
def resume(run_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """Let a suspended run, and those below it, go on where they are. Raises UnknownRun, NotAllowed."""
    refuse_inside_handler("resume a run")
    line = lock_line(run_id)
    refuse(rules.resume_refusal(line.head.run.state))
    suspended = [member for member in line.family if member.run.state == "suspended"]
    freed: dict[uuid.UUID, list[Freed]] = defaultdict(list)
    for step in free([member.run for member in suspended]):
        freed[step.run].append(step)
    for member in suspended:
        busy = Step.objects.filter(run=member.run, state="running").exists()
        state, why = ("running", "") if busy else _rest(freed[member.run.id])
        Run.objects.filter(pk=member.run.pk).update(state=state, reason=why, stopped_at=None)
    record([(member, "run.resumed", {"held": len(freed[member.run.id])}) for member in suspended], actor, reason)
    wake.workers()


def _rest(freed: Sequence[Freed]) -> tuple[str, str]:
    """Return state and reason of a run that goes on: it rests when all it has is due later."""
    if not freed or any(step.due for step in freed):
        return "running", ""
    first = min(freed, key=lambda step: step.due_at)
    if first.failures:
        return "waiting", "back_off"
    return "waiting", "person" if first.function == APPROVAL else "timer"
