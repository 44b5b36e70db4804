"""Where definitions were used last: an action is used by runs of its own and by steps of workflows alike.

Read version by version, so that the index `step_idle_by_action` gives the newest steps without sorting all of them;
those that run at the moment are as many as there are workers. A status has no index of its own: a page looks at the
next 5,000 calls for it, and the page behind it goes on from there.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, OuterRef, Subquery
from django.db.models.functions import Greatest

from actions import markers
from actions.models import ActionVersion
from actions.sensitive import mask
from dotdo_site.lib.paging import decode, encode
from workflows import payloads
from workflows.models import Payload, Run, Step, Workflow
from workflows.queries.labels import step_label
from workflows.queries.rows import Page
from workflows.sql import Statement

LOOKED_AT = 5_000
STATES: Mapping[str, tuple[str, ...]] = {
    "succeeded": ("succeeded",),
    "failed": ("failed",),
    "open": ("ready", "running", "waiting", "held"),
    "other": ("skipped", "cancelled"),
}
STEP_FIELDS = (
    "name", "kind", "state", "failures", "attempt", "caught", "function", "input", "output", "error", "action_version",
    "created_at", "started_at", "finished_at",
)  # fmt: skip
RUN_FIELDS = ("run__kind", "run__name", "run__title", "run__key")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRow:
    """One step that called an action. `run_name` and `run_title` are those of the run that it belongs to.

    Values are masked; one that is over 4 kB is not read here: `large` names those of `input` and `output`.
    """

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
    started_at: datetime | None
    finished_at: datetime | None
    input: Any
    output: Any
    error: Any
    large: Sequence[str]


def _newest(order: str, compared: str) -> Statement:
    return Statement(
        f"""
        SELECT s.id, s.state FROM unnest(:versions::uuid[]) v (id)
        CROSS JOIN LATERAL (
            (SELECT id, state FROM step
            WHERE action_version_id = v.id AND state <> 'running'
                AND (:place::uuid IS NULL OR id {compared} :place::uuid)
            ORDER BY id {order} LIMIT :count)
            UNION ALL
            SELECT id, state FROM step
            WHERE action_version_id = v.id AND state = 'running'
                AND (:place::uuid IS NULL OR id {compared} :place::uuid)) s
        ORDER BY s.id {order} LIMIT :count
        """  # noqa: S608 - the constants below
    )


_BACK, _ON = _newest("DESC", "<"), _newest("ASC", ">")


def invocations(
    name: str, *, status: str = "", after: str | None = None, before: str | None = None, limit: int = 8
) -> Page[InvocationRow]:
    """Return a page of the steps that called an action, newest first. Raises BadCursor.

    With a status, a page may have less than `limit` rows, or none, and there are more.
    """
    versions = dict(ActionVersion.objects.filter(action__name=name).values_list("id", "version"))
    place = decode(before or after or "", uuid.UUID)[0] if before or after else None
    count = LOOKED_AT if status else limit + 1
    values = {"versions": list(versions), "place": place, "count": count}
    looked_at = (_ON if before else _BACK).rows(values)
    wanted = [pk for pk, state in looked_at if not status or state in STATES[status]]
    more = len(wanted) > limit or len(looked_at) == count
    found = wanted[:limit]
    # where the next look begins: behind the last row shown, or behind all that was looked at in vain
    last = found[-1] if len(wanted) > limit and found else looked_at[-1][0] if looked_at else place
    further = encode(last) if more and last else None
    if before and not found and not further:
        return invocations(name, status=status, limit=limit)
    behind = encode(found[0]) if found and place else None
    return Page(_rows(found, versions), *((behind, further) if before else (further, behind)))


def last_used_actions(names: Iterable[str] | None = None) -> dict[str, datetime]:
    """Return when each action was called last; those never called are missing."""
    calls = Step.objects.filter(action_version=OuterRef("pk"))
    newest = calls.exclude(state="running").order_by("-id").values("created_at")[:1]
    under_way = calls.filter(state="running").values("action_version").values_list(Max("created_at"))
    last = Greatest(Subquery(newest), Subquery(under_way))
    versions = ActionVersion.objects.annotate(last=last).filter(last__isnull=False)
    if names is not None:
        versions = versions.filter(action__name__in=list(names))
    return dict(sorted(versions.values_list("action__name", "last"), key=lambda row: row[1]))


def last_used_workflows(names: Iterable[str] | None = None) -> dict[str, datetime]:
    """Return when each workflow was started last; those never started are missing."""
    newest = Run.objects.filter(name=OuterRef("name"), kind="workflow").order_by("-id").values("created_at")[:1]
    rows = Workflow.objects.annotate(last=Subquery(newest)).filter(last__isnull=False)
    return dict((rows if names is None else rows.filter(name__in=list(names))).values_list("name", "last"))


def _rows(ids: Sequence[uuid.UUID], versions: Mapping[uuid.UUID, str]) -> list[InvocationRow]:
    steps = list(Step.objects.filter(pk__in=ids).order_by("-id").select_related("run").only(*STEP_FIELDS, *RUN_FIELDS))
    schemas = {
        version.id: version
        for version in ActionVersion.objects.filter(pk__in={step.action_version_id for step in steps}).only(
            "input_schema", "output_schema"
        )
    }
    errors = _errors(steps)
    return [_row(step, versions, schemas[step.action_version_id], errors) for step in steps if step.action_version_id]


def _errors(steps: Sequence[Step]) -> dict[str, Any]:
    """Return the errors that are stored apart: a traceback makes most of them large."""
    wanted = payloads.digests(*(step.error for step in steps))
    if not wanted:
        return {}
    found = Payload.objects.filter(run__in={step.run_id for step in steps}, digest__in=wanted)
    return dict(found.values_list("digest", "value"))


def _row(
    step: Step, versions: Mapping[uuid.UUID, str], contract: ActionVersion, errors: dict[str, Any]
) -> InvocationRow:
    parts = {"input": step.input, "output": step.output}
    large = [part for part, value in parts.items() if payloads.digests(value)]
    return InvocationRow(
        step_id=step.id,
        step_name=step.name,
        version=versions[contract.id],
        label=_label(step),
        attempts=step.attempt,
        run_id=step.run.id,
        run_kind=step.run.kind,
        run_name=step.run.name,
        run_title=step.run.title or step.run.key,
        created_at=step.created_at,
        started_at=step.started_at,
        finished_at=step.finished_at,
        input=None if "input" in large else _shown(step.input, contract.input_schema),
        output=None if "output" in large else _shown(step.output, contract.output_schema),
        error=_shown(errors.get(*payloads.digests(step.error)) if payloads.digests(step.error) else step.error, {}),
        large=large,
    )


def _label(step: Step) -> str:
    if step.state == "failed":
        return "caught" if step.caught else "failed"
    return step_label(step.state, step.kind, step.failures, function=step.function)


def _shown(value: Any, schema: Any) -> Any:
    return mask(schema, markers.shorten(value))
