"""The step behind a fork: it looks at the branches, and goes on when they have decided (§1.5 `fork`)."""

from typing import Any

from audit.walking import VOUCHED
from workflows import payloads
from workflows.engine.messages import Done, Failed
from workflows.job import Job
from workflows.language.program import Fork
from workflows.models import Branch


def decided(job: Job) -> Done | Failed | None:
    """Return what became of the fork that the held join waits for; None while it is open.

    The chain behind the fork then vouches for the ends of the branches' chains, which end here (`audit.walking`).
    """
    task = job.program.task_at(job.ref)
    branches = list(Branch.objects.filter(join_step=job.held.step).order_by("index"))
    found = payloads.load(job.held.run, [cell for branch in branches for cell in (branch.output, branch.error)])
    ended = [branch for branch in branches if branch.state == "closed"]
    ended.sort(key=lambda branch: (branch.closed_at, branch.index))
    job.facts = {VOUCHED: {str(branch.id): [branch.audit_seq, bytes(branch.audit_head).hex()] for branch in ended}}
    failed = [branch for branch in ended if branch.error is not None]
    if isinstance(task, Fork) and task.compete:
        return _first(job, branches, ended, failed, found)
    if failed:
        return Failed(job.key, payloads.resolve(failed[0].error, found))
    if len(ended) < len(branches):
        return None
    return Done(job.key, [payloads.resolve(branch.output, found) for branch in branches])


def _first(
    job: Job, branches: list[Branch], ended: list[Branch], failed: list[Branch], found: dict[str, Any]
) -> Done | Failed | None:
    winner = next((branch for branch in ended if branch.error is None), None)
    if winner is not None:
        return Done(job.key, payloads.resolve(winner.output, found))
    if len(failed) == len(branches):
        return Failed(job.key, payloads.resolve(failed[-1].error, found))
    return None
