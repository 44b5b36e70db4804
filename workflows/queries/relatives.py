"""The runs above and below a run."""

import uuid
from dataclasses import dataclass

from django.db.models import Case, Count, IntegerField, Value, When

from workflows.models import Run, Step
from workflows.queries.labels import label
from workflows.queries.rows import Relative

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Children:
    """The runs that a step started: the first of them, those that need a look before the others, and how many of each
    state there are.
    """

    shown: list[Relative]
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Return how many there are."""
        return sum(self.counts.values())


def parent(run: Run) -> Relative | None:
    """Return the run whose step started this one, if a step did."""
    if run.parent_step is None:
        return None
    step = Step.objects.filter(pk=run.parent_step).select_related("run").first()
    return None if step is None else _relative(step.run, step.name, run.parent_index)


def children(step_id: uuid.UUID, name: str = "") -> Children:
    """Return the runs that a step started."""
    rows = Run.objects.filter(parent_step=step_id)
    first = Case(
        When(state="failed", then=Value(0)),
        When(state="succeeded", then=Value(2)),
        default=Value(1),
        output_field=IntegerField(),
    )
    shown = [_relative(run, name, run.parent_index) for run in rows.order_by(first, "parent_index")[:SHOWN]]
    counts = rows.values_list("state").annotate(n=Count("id")).order_by("state")
    return Children(shown, dict(counts))


def _relative(run: Run, step: str, index: int) -> Relative:
    return Relative(
        id=run.id,
        name=run.name,
        title=run.title or run.key,
        label=label(run.state, run.reason, run.resolved_at),
        step=step,
        index=index,
    )
