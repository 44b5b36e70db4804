"""Calls that had their effect although nobody waited for it any more: losers of a race, calls cut by a timeout.

The attempt is kept as `superseded`. While the run goes on, an effect that can be undone is undone, by a step beside the
engine, unless another attempt of a `try` has the same effect; in a run that has ended it is left for people, who see
it at the step.
"""

import re
from dataclasses import replace
from typing import Any

from django.db.models.functions import Now

from dotdo_site.lib.ids import uuid7
from workflows import compensating, late, trail, wake
from workflows.checkpoint import Progress, UndoWrite
from workflows.claim import Claimed
from workflows.engine.frames import place
from workflows.job import Job
from workflows.lessee import Happened, Lessee
from workflows.models import Attempt, Branch, Run, Step, Undo
from workflows.payloads import Packer, store
from workflows.progress import step_write

REPEATED = re.compile(r"@(\d+)/try/")


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
    state, reason = Run.objects.values_list("state", "reason").get(pk=held.run)  # under its lock
    current = replace(held, run_state=state, run_reason=reason)
    if late.is_late(job.key):
        Undo.objects.filter(step=held.step).update(state="done")
    elif not current.ended:
        _begin_undo(job, current, packer)
    store(held.run, packer)


def undone(job: Job, happened: Happened, lessee: Lessee) -> Progress:
    """A compensation is done behind which others go on, if any: the branch stands where it stood."""
    step = step_write(job, "succeeded", output=happened.output, attempt=job.held.attempt + 1)
    data = trail.step_data(job) | ({"late": True} if late.is_late(job.key) else {})
    links = trail.links(job, lessee, [("step.succeeded", data)])
    return Progress(step=step, cursor=job.cursor, links=links, rest=job.held.rest, undone=True)


def _begin_undo(job: Job, held: Claimed, packer: Packer) -> None:
    """Undo the effect, unless a later attempt of a `try` around the call has it, or will have it, as its own."""
    root = Branch.objects.filter(run=held.run, parent__isnull=True, state="open").first()
    if root is None:
        return
    has_an_owner = _is_owned(job, held) or _is_repeated(job, held)
    for push in job.pushed:
        row = compensating.record(push)
        values: dict[str, Any] = {"key": row.key, "ref": row.ref, "name": row.name, "function": row.function}
        values |= {"action_version_id": row.action_version, "input": packer.reference(row.input)}
        if has_an_owner:  # if it is recorded already, then by the attempt that has it
            Undo.objects.get_or_create(run_id=held.run, place=row.place, defaults=values)
        else:
            step = _step(row, root, held, packer)
            values |= {"state": "running", "step": step}
            Undo.objects.update_or_create(run_id=held.run, place=row.place, defaults=values)
            wake.workers()


def _is_owned(job: Job, held: Claimed) -> bool:
    """Tell whether a later call at the same place, which had the same idempotency key, succeeded or goes on."""
    later = Step.objects.filter(run=held.run, ref=job.ref, kind="call", id__gt=held.step)
    keys = later.exclude(state__in=("failed", "cancelled")).values_list("key", flat=True)
    return any(place(key) == place(job.key) for key in keys)


def _is_repeated(job: Job, held: Claimed) -> bool:
    """Tell whether a `try` around the call goes through its tasks again."""
    open_branches = Branch.objects.filter(run=held.run, state="open").values_list("cursor", flat=True)
    frames = {frame["key"]: frame for cursor in open_branches for frame in cursor.get("frames", ()) if "block" in frame}
    for found in REPEATED.finditer(job.key):
        frame = frames.get(job.key[: found.start()], {"out": None})
        again = frame.get("block") == "retry" or (frame.get("block") == "try" and frame["attempt"] > int(found[1]))
        if "out" not in frame and again:
            return True
    return False


def _step(row: UndoWrite, root: Branch, held: Claimed, packer: Packer) -> Step:
    """Make the step in the run's own branch: that of the late call may be closed."""
    return Step.objects.create(
        id=uuid7(),
        run_id=held.run,
        branch=root,
        key=f"{row.key}{late.MARK}",
        ref=row.ref,
        name=row.name,
        kind="undo",
        function=row.function,
        action_version_id=row.action_version,
        input=packer.reference(row.input),
        state="held" if held.stopped else "ready",
        due_at=Now(),
        created_at=Now(),
        queue=compensating.queue(row.action_version) or held.run_queue,
        priority=held.run_priority,
    )
