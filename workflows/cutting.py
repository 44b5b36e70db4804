"""What ends, or is held, in other branches and other runs because of one checkpoint.

Such a checkpoint runs in a transaction that locks the run and all its open branches first, in the order that operators'
commands use. Raising the revision of the other branches makes their workers look again: their results are dropped.
"""

import uuid
from collections.abc import Iterable, Sequence

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from workflows import late, settling
from workflows.models import Branch, Step, Subscription
from workflows.operations import family

IDLE = ("ready", "waiting", "held")
WITH_CHILDREN = ("run:", "map:")


def lock(run: uuid.UUID) -> None:
    """Lock a run and its open branches."""
    settling.lock(run)
    list(_branches(run).select_for_update(no_key=True).order_by("id").values_list("id", flat=True))


def end_leaves(run: uuid.UUID, keys: Sequence[str], *, actor: str) -> None:
    """End what steps with these keys had begun: branches of forks, child runs, subscriptions."""
    rows = Step.objects.filter(run=run, key__in=list(keys)).values_list("id", "kind", "function")
    _end_what_they_began(run, list(rows), actor)


def end_step(run: uuid.UUID, step: uuid.UUID, kind: str, function: str, *, actor: str) -> None:
    """End what one step had begun."""
    _end_what_they_began(run, [(step, kind, function)], actor)


def end_others(run: uuid.UUID, branch: uuid.UUID, *, actor: str) -> None:
    """End all other branches and steps of a run that has completed."""
    _close(run, list(_branches(run).exclude(pk=branch).values_list("id", flat=True)), actor)
    _cancel(run, Step.objects.filter(run=run), actor)


def hold_others(run: uuid.UUID, branch: uuid.UUID) -> None:
    """Hold what is ready or waiting in a run that was parked; what is running finishes and is recorded."""
    _branches(run).exclude(pk=branch).update(revision=F("revision") + 1)
    Step.objects.filter(run=run, state__in=("ready", "waiting")).update(state="held")


def _end_what_they_began(run: uuid.UUID, rows: Iterable[tuple[uuid.UUID, str, str]], actor: str) -> None:
    rows = list(rows)
    joins = [step for step, kind, _ in rows if kind == "join"]
    parents = [step for step, kind, function in rows if kind == "run" or function.startswith(WITH_CHILDREN)]
    listens = [step for step, kind, _ in rows if kind == "listen"]
    if joins:
        _close(run, list(_branches(run).filter(join_step__in=joins).values_list("id", flat=True)), actor)
    if parents:
        family.cancel_open(parents, actor=actor, reason="The step that started it was left.")
    if listens:
        Subscription.objects.filter(step__in=listens).delete()


def _close(run: uuid.UUID, branches: list[uuid.UUID], actor: str) -> None:
    """Close branches with all that is open in them, and the branches of their own forks."""
    if not branches:
        return
    Branch.objects.filter(pk__in=branches).update(state="closed", closed_at=Now(), rest="", revision=F("revision") + 1)
    _cancel(run, Step.objects.filter(branch__in=branches), actor)


def _cancel(run: uuid.UUID, steps: QuerySet[Step], actor: str) -> None:
    """Cancel the steps that nobody executes. What a running one has begun ends too; its worker closes the step."""
    found = list(steps.filter(state__in=(*IDLE, "running")).order_by("id").values_list("id", "kind", "function"))
    Step.objects.filter(pk__in=[step for step, _, _ in found], state__in=IDLE).update(
        state="cancelled", finished_at=Now()
    )
    late.cancelled(step for step, kind, _ in found if kind == "undo")
    _end_what_they_began(run, found, actor)


def _branches(run: uuid.UUID) -> QuerySet[Branch]:
    return Branch.objects.filter(run=run, state="open")
