"""Runs that undo: documents for them, and what became of the effects."""

from uuid import UUID

from tests.support.interleaving import work_on_step
from workflows.models import Step, Undo

BOOK = "{call: test-echo, with: {value: 1}, metadata: {dotdo: {undo: {call: test-echo, with: {value: 2}}}}}"


def work_to(run_id: UUID, name: str, kind: str) -> Step:
    """Work step by step up to this one; nobody has taken it yet."""
    for _ in range(10):
        step = Step.objects.filter(run=run_id, state="ready").exclude(kind="timer").get()
        if (step.name, step.kind) == (name, kind):
            return step
        work_on_step(step.pk, on=False).done()
    raise AssertionError(f"there is no {kind} {name}")


def undos(run_id: UUID) -> set[str]:
    """Return the states of what was recorded to undo."""
    return set(Undo.objects.filter(run=run_id).values_list("state", flat=True))


def undone(run_id: UUID) -> list[str]:
    """Return what was undone, in that order."""
    steps = Step.objects.filter(run=run_id, kind="undo", ref__gt="", state="succeeded")
    return list(steps.order_by("finished_at").values_list("name", flat=True))
