"""What the graph of a run is drawn from: its definition, its steps without their data, and the notes of its trail."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actions.models import ActionVersion
from audit.models import AuditEvent
from workflows.graph.standing import Note, StepMark
from workflows.models import Step, WorkflowVersion
from workflows.queries.labels import step_label, waits

MOST_STEPS, MOST_EVENTS = 5_000, 5_000
FIELDS = (
    "id", "key", "ref", "kind", "function", "state", "failures", "attempt", "caught", "created_at", "started_at",
    "finished_at", "error__code",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Footprint:
    """The newest 5,000 steps of a run in the order in which they began, and the notes of 5,000 events of its trail.

    Those are the oldest and the newest: what was decided before a long loop, and where it stands now.
    """

    steps: list[StepMark]
    notes: list[Note]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawable:
    """A version of a definition as a document; `newest` is the version that was published last."""

    name: str
    version: str
    newest: str
    document: Mapping[str, Any]
    lock: Mapping[str, Any]


def footprint(run_id: uuid.UUID) -> Footprint:
    """Return what a run left in its definition."""
    rows = Step.objects.filter(run=run_id).order_by("-id").values(*FIELDS)[:MOST_STEPS]
    events = AuditEvent.objects.filter(run=run_id)
    ends = [events.order_by(order).values("pk")[: MOST_EVENTS // 2] for order in ("id", "-id")]
    noted = AuditEvent.objects.filter(pk__in=ends[0].union(ends[1]), data__contains='"path"').order_by("id")
    notes = [
        Note(*_split(text))
        for data in noted.values_list("data", flat=True)
        for text in json.loads(data).get("path", ())
    ]
    return Footprint([_mark(row) for row in reversed(rows)], notes)


def drawable(kind: str, version_id: uuid.UUID) -> Drawable | None:
    """Return the version that a run is pinned to; an action is a document of one call."""
    if kind == "workflow":
        version = WorkflowVersion.objects.select_related("workflow").filter(pk=version_id).first()
        return None if version is None else _drawable_workflow(version)
    action = ActionVersion.objects.select_related("action").filter(pk=version_id).first()
    return None if action is None else _drawable_action(action)


def _drawable_workflow(version: WorkflowVersion) -> Drawable:
    return Drawable(
        name=version.workflow.name,
        version=version.version,
        newest=_newest(WorkflowVersion.objects.filter(workflow=version.workflow_id)),
        document=version.document,
        lock=version.lock,
    )


def _drawable_action(action: ActionVersion) -> Drawable:
    return Drawable(
        name=action.action.name,
        version=action.version,
        newest=_newest(ActionVersion.objects.filter(action=action.action_id)),
        document={"do": [{action.action.name: {"call": f"{action.action.name}:{action.version}"}}]},
        lock={},
    )


def _newest(versions: Any) -> str:
    published = versions.filter(state="published").order_by("-published_at")
    return published.values_list("version", flat=True).first() or ""


def _split(text: str) -> tuple[str, str]:
    key, _, words = text.partition(" ")
    return key, words


def _mark(row: Mapping[str, Any]) -> StepMark:
    first_call = row["kind"] == "start" and row["function"] and row["state"] != "succeeded"
    kind, key = ("call", row["ref"]) if first_call else (row["kind"], row["key"])
    waited = waits(kind, row["function"])  # what counts is the wait, not the moment in which a worker ended it
    began = (None if waited else row["started_at"]) or row["created_at"]
    ended = row["finished_at"]
    return StepMark(
        id=row["id"],
        key=key,
        ref=row["ref"],
        kind=kind,
        function=row["function"],
        label=step_label(row["state"], kind, row["failures"], function=row["function"], caught=row["caught"]),
        attempts=row["attempt"],
        seconds=max((ended - began).total_seconds(), 0) if ended else None,
        code=row["error__code"] or "" if isinstance(row["error__code"], str) else "",
    )
