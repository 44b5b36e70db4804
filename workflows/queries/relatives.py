"""The runs above and below a run, and those that have to do with it."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Case, Count, IntegerField, Q, Value, When

from workflows.models import Run, Step
from workflows.queries.labels import label
from workflows.queries.rows import Relative, RunRow
from workflows.queries.runs import some_runs

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


@dataclass(frozen=True, slots=True)
class Related:
    """The runs that have to do with one, of each kind the newest; `more_*` says that there are others.

    `original` is what it was run again from, `again` what was run again from it.
    """

    original: RunRow | None
    again: list[RunRow]
    children: list[RunRow]
    same_key: list[RunRow]
    more_children: bool
    more_same_key: bool


def related(run_id: uuid.UUID, steps: Collection[uuid.UUID]) -> Related:
    """Return the runs that have to do with a run; `steps` are those of its steps that start runs."""
    found = Run.objects.filter(pk=run_id).only("key", "name", "rerun_of").get()
    kinds = {
        "original": Run.objects.filter(pk__in=[found.rerun_of] if found.rerun_of else []),
        "again": Run.objects.filter(_again(found)),
        "children": Run.objects.filter(parent_step__in=steps),
        "same_key": Run.objects.filter(_same_key(found)).exclude(pk=run_id),
    }
    ids = {name: list(rows.order_by("-id").values_list("pk", flat=True)[: SHOWN + 1]) for name, rows in kinds.items()}
    rows = {row.id: row for row in some_runs([pk for each in ids.values() for pk in each])}
    shown = {name: [rows[pk] for pk in each[:SHOWN] if pk in rows] for name, each in ids.items()}
    return Related(
        original=next(iter(shown["original"]), None),
        again=shown["again"],
        children=shown["children"],
        same_key=shown["same_key"],
        more_children=len(ids["children"]) > SHOWN,
        more_same_key=len(ids["same_key"]) > SHOWN,
    )


def count_related(run_id: uuid.UUID, steps: Collection[uuid.UUID], limit: int = 1_000) -> int:
    """Return how many runs have to do with a run, each counted once for what it has to do with it, at most `limit`."""
    found = Run.objects.filter(pk=run_id).only("key", "name", "rerun_of", "parent_step").first()
    if found is None:
        return 0
    near = (found.rerun_of is not None) + (found.parent_step is not None)
    for rows in (
        Run.objects.filter(parent_step__in=steps) if steps else Run.objects.none(),
        Run.objects.filter(_again(found)),
        Run.objects.filter(_same_key(found)).exclude(pk=run_id),
    ):
        near += rows.values("pk")[:limit].count()
    return min(near, limit)


def _again(found: Run) -> Q:
    return Q(rerun_of=found.id)


def _same_key(found: Run) -> Q:
    return Q(name=found.name, key=found.key) & ~Q(key="") if found.key else Q(pk__in=[])


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
