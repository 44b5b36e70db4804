"""Calls that had their effect although nobody waited for it any more: losers of a race, calls cut by a timeout.

The attempt is kept as `superseded`. While the run goes on, an effect that can be undone is undone, by a step beside the
engine; in a run that has ended it is left for people, who see it at the step.
"""

from django.db.models.functions import Now

from dotdo_site.lib.ids import uuid7
from workflows import compensating, trail, wake
from workflows.checkpoint import Progress
from workflows.claim import Claimed
from workflows.job import Job
from workflows.lessee import Happened, Lessee
from workflows.models import Attempt, Branch, Step, Undo
from workflows.payloads import Packer, store
from workflows.progress import step_write

SUFFIX = "#late"


def keep(job: Job, held: Claimed, lessee: Lessee) -> None:
    """Keep the attempt of a closed step, and begin what undoes it, in the transaction that closed it."""
    packer = Packer(held.run)
    assert job.came is not None  # noqa: S101 - the caller saw it
    Attempt.objects.create(
        step_id=held.step,
        number=held.attempt + 1,
        outcome="superseded",
        input=packer.reference(job.input),
        output=packer.reference(job.came.output),
        log=job.came.log,
        worker=lessee.id,
        code_version=lessee.code_version,
        started_at=job.came.started_at,
        finished_at=Now(),
    )
    if held.run_state not in ("succeeded", "cancelled"):
        _begin_undo(job, held, packer)
    store(held.run, packer)


def is_late(job: Job) -> bool:
    """Tell whether this compensation is one that no scope waits for."""
    return job.key.endswith(SUFFIX)


def undone(job: Job, happened: Happened, lessee: Lessee) -> Progress:
    """The effect of a late call is undone; the branch stands where it stood."""
    step = step_write(job, "succeeded", output=happened.output, attempt=job.held.attempt + 1)
    links = trail.links(job, lessee, [("step.succeeded", trail.step_data(job) | {"late": True})])
    return Progress(step=step, cursor=job.cursor, links=links, rest=job.held.rest, undone=True)


def _begin_undo(job: Job, held: Claimed, packer: Packer) -> None:
    """Make the steps in the run's own branch: that of the late call may be closed."""
    root = Branch.objects.filter(run=held.run, parent__isnull=True, state="open").first()
    for push in job.pushed if root is not None else ():
        row = compensating.record(push)
        step = Step.objects.create(
            id=uuid7(),
            run_id=held.run,
            branch=root,
            key=f"{row.key}{SUFFIX}",
            ref=row.ref,
            name=row.name,
            kind="undo",
            function=row.function,
            action_version_id=row.action_version,
            input=packer.reference(row.input),
            state="held" if held.stopped else "ready",
            due_at=Now(),
            created_at=Now(),
            queue=held.run_queue,
            priority=held.run_priority,
        )
        values = {"key": row.key, "ref": row.ref, "name": row.name, "function": row.function, "state": "running"}
        values |= {"action_version_id": row.action_version, "input": packer.reference(row.input), "step": step}
        Undo.objects.update_or_create(run_id=held.run, place=row.place, defaults=values)
        wake.workers()
