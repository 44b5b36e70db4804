"""One run: with everything about it, or as an outline that stays quick however much data its steps carry."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Case, QuerySet, Value, When

from workflows import rules, states
from workflows.hidden import shown
from workflows.models import Branch, Run, Step, Undo
from workflows.queries import relatives
from workflows.queries.opening import Opener, cells_of_run
from workflows.queries.rows import BegunRun, RunDetail, RunOutline
from workflows.queries.runs import OPEN, UNDO_KEY, StepSummary, row_fields, summarise
from workflows.queries.steps import step_lines, step_views

STEP_LIMIT = 1_000
DATA = ("input", "output", "error")
UNDER_WAY = Case(When(state__in=[*OPEN, "failed"], then=Value(0)), default=Value(1))


def run(run_id: uuid.UUID, *, reveal: bool = False) -> RunDetail | None:
    """Return a run with its data and its first 1,000 steps, or None."""
    found = _find(run_id)
    return _detail(found, list(_steps(found).order_by("id")[:STEP_LIMIT]), reveal=reveal) if found else None


def revealed(run_id: uuid.UUID, *, limit: int) -> RunDetail | None:
    """Return a run with nothing masked and so many steps, those that are open or failed, then the newest; or None."""
    found = _find(run_id)
    if found is None:
        return None
    rows = _steps(found).order_by(UNDER_WAY, "-id")[:limit]
    return _detail(found, sorted(rows, key=lambda step: step.id), reveal=True)


def outline(run_id: uuid.UUID) -> RunOutline | None:
    """Return a run with up to 1,000 steps as lines, those that are open or failed before all others, or None."""
    found = _find(run_id)
    if found is None:
        return None
    rows = Step.objects.filter(run=found).defer(*DATA).order_by(UNDER_WAY, "id")[:STEP_LIMIT]
    steps = sorted(rows, key=lambda step: step.id)
    return RunOutline(**_facts(found), steps=step_lines(found, steps))


def just_begun(found: Run, step: Step, schema: dict[str, Any], value: Any) -> BegunRun:
    """Return a run as it was when it was recorded a moment ago with this input: nothing is read."""
    return BegunRun(
        **row_fields(found, StepSummary(open=1, current=step)),
        **_refusals(found.state, found.resolved_at, found.reason, found.root, 0, begun=False),
        tags=list(found.tags),
        parent=None,
        input=shown(schema, value),
        context={},
    )


def live_token(run_id: uuid.UUID) -> str:
    """Return a text that changes whenever the run does."""
    leased = Step.objects.filter(run=run_id, state="running").values_list("claim", flat=True).first()
    return f"{_audit_seq(run_id)}.{leased or 0}"


def _find(run_id: uuid.UUID) -> Run | None:
    return Run.objects.select_related("workflow_version", "action_version").filter(pk=run_id).first()


def _definition(found: Run) -> Any:
    return found.workflow_version or found.action_version


def _steps(found: Run) -> QuerySet[Step]:
    return Step.objects.filter(run=found).select_related("action_version")


def _detail(found: Run, steps: list[Step], *, reveal: bool) -> RunDetail:
    opener = Opener(found, cells_of_run(found), reveal=reveal)
    definition = _definition(found)
    return RunDetail(
        **_facts(found),
        input=opener.open(found.input, definition.input_schema),
        output=opener.open(found.output, getattr(definition, "output_schema", {})),
        error=opener.open(found.error),
        context=opener.open(found.context),
        steps=step_views(found, steps, reveal=reveal),
    )


def _facts(found: Run) -> dict[str, Any]:
    summary = summarise([found])[found.id]
    return {
        **row_fields(found, summary),
        **_allowed(found),
        "parent": relatives.parent(found),
        "tags": list(found.tags),
        "queue": found.queue,
        "priority": found.priority,
        "rerun_of": found.rerun_of,
        "steps_total": summary.done + summary.undone + summary.open + summary.failed,
        "steps_undone": summary.undone,
        "audit_seq": _audit_seq(found.id),
        "definition_id": _definition(found).id,
        "tasks": _tasks(found),
    }


def _tasks(found: Run) -> list[str]:
    version = found.workflow_version
    return [name for task in version.document.get("do", []) for name in task] if version else []


def _allowed(found: Run) -> Mapping[str, Any]:
    """Return what may be done with a run: None, or why not."""
    over = found.state in states.RUN_FINAL
    recorded = 0 if over else Undo.objects.filter(run=found, state__in=("recorded", "running")).count()
    begun = not over and Step.objects.filter(run=found, key=UNDO_KEY).exists()
    return _refusals(found.state, found.resolved_at, found.reason, found.root, recorded, begun=begun)


@lru_cache(maxsize=1_000)
def _refusals(
    state: str, resolved_at: datetime | None, reason: str, root: uuid.UUID | None, recorded: int, *, begun: bool
) -> Mapping[str, Any]:
    """Return why which command is refused, or None: made once for each state, in the one language of the process."""
    return {
        "can_retry": rules.retry_refusal(state, resolved_at, reason),
        "can_cancel": rules.cancel_refusal(state),
        "can_suspend": rules.suspend_refusal(state),
        "can_resume": rules.resume_refusal(state),
        "can_resolve": rules.resolve_refusal(state, resolved_at),
        "can_undo": rules.undo_refusal(state, recorded=recorded, begun=begun),
        "can_erase": rules.erase_refusal(state, resolved_at, reason, started_by=root),
        "can_again": rules.again_refusal(state),
        "can_send": rules.cancel_refusal(state),
    }


def _audit_seq(run_id: uuid.UUID) -> int:
    revisions = Branch.objects.filter(run=run_id).values_list("revision", "audit_seq")
    return sum(revision + seq for revision, seq in revisions)
