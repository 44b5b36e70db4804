"""Runs for a file: a page at a time by their ids, so that memory stays flat and no run comes twice or is left out."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from workflows.models import Run
from workflows.queries.filtering import filtered
from workflows.queries.opening import Opener
from workflows.queries.rows import RunFilter
from workflows.queries.runs import LISTED, StepSummary, row_fields, summarise

EXPORT_LIMIT = 100_000
PAGE = 200
DATA = ("input", "output", "error")
EXPORT_COLUMNS = (
    "id", "name", "version", "kind", "title", "key", "status", "now", "queue", "tags", "trigger", "actor", "created_at",
    "started_at", "finished_at", "seconds", "steps_done", "steps_open", "steps_failed", *DATA,
)  # fmt: skip
SCHEMAS = ("workflow_version__input_schema", "action_version__input_schema", "action_version__output_schema")


def exported(chosen: RunFilter, limit: int = EXPORT_LIMIT) -> Iterator[dict[str, Any]]:
    """Yield runs with their data, sensitive fields masked, newest first; without those that come meanwhile."""
    rows = filtered(chosen).select_related("workflow_version", "action_version").order_by("-id")
    rows = rows.only(*LISTED, "queue", "tags", *DATA, *SCHEMAS)
    last: uuid.UUID | None = None
    left = limit
    while left > 0:
        page = list((rows.filter(id__lt=last) if last else rows)[: min(PAGE, left)])
        stored = [{name: getattr(run, name) for name in DATA} for run in page]
        summaries = summarise(page)
        for run, data in zip(page, stored, strict=True):
            yield _line(run, data, summaries[run.id])
        if len(page) < min(PAGE, left):
            return
        last, left = page[-1].id, left - len(page)


def _line(run: Run, data: dict[str, Any], summary: StepSummary) -> dict[str, Any]:
    fields = row_fields(run, summary)
    opener = Opener(run, data.values())
    definition: Any = run.workflow_version or run.action_version
    schemas = {"input": definition.input_schema, "output": getattr(definition, "output_schema", {})}
    fields |= {name: opener.open(value, schemas.get(name)) for name, value in data.items()}
    fields |= {"status": fields["label"], "queue": run.queue, "tags": run.tags, "seconds": _seconds(run)}
    return {name: fields[name] for name in EXPORT_COLUMNS}


def _seconds(run: Run) -> float | None:
    ended: datetime | None = run.finished_at
    return round((ended - run.created_at).total_seconds(), 3) if ended else None
