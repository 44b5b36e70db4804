"""Where definitions were used last: an action is used by runs of its own and by steps of workflows alike.

Read version by version, so that the index `step_by_action` gives the newest steps without sorting all of them.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from actions.models import ActionVersion
from workflows.models import Run, Step, Workflow
from workflows.queries.labels import step_label

STEP_FIELDS = (
    "name", "kind", "state", "failures", "attempt", "action_version", "created_at", "finished_at",
)  # fmt: skip
RUN_FIELDS = ("run__kind", "run__name", "run__title", "run__key")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRow:
    """One step that called an action. `run_name` and `run_title` are those of the run that it belongs to."""

    step_id: uuid.UUID
    step_name: str
    version: str
    label: str
    attempts: int
    run_id: uuid.UUID
    run_kind: str
    run_name: str
    run_title: str
    created_at: datetime
    finished_at: datetime | None


def invocations(name: str, *, limit: int = 8) -> list[InvocationRow]:
    """Return the latest steps that called an action, newest first."""
    versions = dict(ActionVersion.objects.filter(action__name=name).values_list("id", "version"))
    found = [step for pk in versions for step in _newest(pk)[:limit]]
    newest = sorted(found, key=lambda step: step.id, reverse=True)[:limit]
    return [_row(step, versions[step.action_version_id]) for step in newest if step.action_version_id]


def last_used_actions() -> dict[str, datetime]:
    """Return when each action was called last; those never called are missing."""
    last = Subquery(_newest(OuterRef("pk")).values("created_at")[:1])
    rows = ActionVersion.objects.annotate(last=last).filter(last__isnull=False).values_list("action__name", "last")
    return dict(sorted(rows, key=lambda row: row[1]))


def last_used_workflows() -> dict[str, datetime]:
    """Return when each workflow was started last; those never started are missing."""
    newest = Run.objects.filter(name=OuterRef("name"), kind="workflow").order_by("-id").values("created_at")[:1]
    rows = Workflow.objects.annotate(last=Subquery(newest)).filter(last__isnull=False)
    return dict(rows.values_list("name", "last"))


def _newest(version: uuid.UUID | OuterRef) -> QuerySet[Step]:
    steps = Step.objects.filter(action_version=version).order_by("-id")
    return steps.select_related("run").only(*STEP_FIELDS, *RUN_FIELDS)


def _row(step: Step, version: str) -> InvocationRow:
    return InvocationRow(
        step_id=step.id,
        step_name=step.name,
        version=version,
        label="failed" if step.state == "failed" else step_label(step.state, step.kind, step.failures),
        attempts=step.attempt,
        run_id=step.run.id,
        run_kind=step.run.kind,
        run_name=step.run.name,
        run_title=step.run.title or step.run.key,
        created_at=step.created_at,
        finished_at=step.finished_at,
    )
