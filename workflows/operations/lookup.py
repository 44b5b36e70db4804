"""Find what a name means now: the newest published version of a workflow or action, and what a start needs of it."""

import difflib
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.functions import Now

from actions.models import Action, ActionVersion
from workflows.models import Step, Workflow, WorkflowVersion
from workflows.operations.errors import UnknownDefinition, UnknownVersion

VERSIONS_NAMED = 10
KEYS_COMPARED = 1_000
NORMAL = 2  # of the priorities 0 to 4


@dataclass(frozen=True, slots=True)
class Definition:
    """A published version. `first_*` name the task that is shown until the run has begun; `now` is the database's."""

    kind: str
    id: uuid.UUID
    name: str
    version: str
    input_schema: dict[str, Any]
    queue: str
    priority: int
    first_ref: str
    first_name: str
    first_function: str
    now: datetime

    @property
    def scope(self) -> str:
        """Return the scope of idempotency keys: one key means one run of one definition, whatever its version."""
        return f"{self.kind}:{self.name}"


def find(kind: str, name: str, version: str | None = None) -> Definition:
    """Return the version asked for, or the one published last. Raises UnknownDefinition."""
    return _workflow(name, version) if kind == "workflow" else _action(name, version)


def _workflow(name: str, version: str | None) -> Definition:
    rows = WorkflowVersion.objects.filter(workflow__name=name)
    rows = rows.exclude(state="draft") if version else rows.filter(state="published")
    row = (rows.filter(version=version) if version else rows).annotate(now=Now()).order_by("-published_at").first()
    if row is None:
        raise _unknown("workflow", name, version)
    first = row.document["do"][0]
    first_name = next(iter(first))
    wanted = row.document["document"].get("metadata", {}).get("dotdo", {})
    return Definition(
        "workflow",
        row.id,
        name,
        row.version,
        row.input_schema,
        wanted.get("queue", "default"),
        wanted.get("priority", NORMAL),
        f"/do/0/{first_name}",
        first_name,
        row.lock.get(first[first_name].get("call"), ""),
        row.now,
    )


def _action(name: str, version: str | None) -> Definition:
    rows = ActionVersion.objects.filter(action__name=name)
    rows = rows.exclude(state="draft") if version else rows.filter(state="published")
    row = (rows.filter(version=version) if version else rows).annotate(now=Now()).order_by("-published_at").first()
    if row is None:
        raise _unknown("action", name, version)
    return Definition(
        "action",
        row.id,
        name,
        row.version,
        row.input_schema,
        row.queue,
        NORMAL,
        f"/do/0/{name}",
        name,
        f"{name}:{row.version}",
        row.now,
    )


def near(kind: str, name: str) -> list[str]:
    """Return the names of published definitions that look like `name`."""
    model: type[Workflow] | type[Action] = Workflow if kind == "workflow" else Action
    names = model.objects.filter(versions__state="published").values_list("name", flat=True).distinct()
    return difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)


def near_keys(run_id: uuid.UUID, key: str) -> list[str]:
    """Return keys of the run's steps that look like `key`: the newest ones of the same place, or similar ones."""
    keys = list(Step.objects.filter(run=run_id).order_by("-id").values_list("key", flat=True)[:KEYS_COMPARED])
    same = [known for known in keys if _place(known) == _place(key)]
    return same[:3] or difflib.get_close_matches(key, keys, n=3, cutoff=0.6)


def _place(key: str) -> str:
    """Return the place in the document that a key stands for: without attempts, iterations, visits and suffixes."""
    return re.sub(r"@\w+|\[\d+\]|#\w+", "", key)


def _unknown(kind: str, name: str, version: str | None) -> UnknownDefinition:
    model: type[WorkflowVersion] | type[ActionVersion] = WorkflowVersion if kind == "workflow" else ActionVersion
    rows = model.objects.filter(**{f"{kind}__name": name}, state="published").order_by("-published_at")
    published = list(rows.values_list("version", flat=True)[:VERSIONS_NAMED])
    if version and published:
        return UnknownVersion(kind, name, version, published)
    return UnknownDefinition(kind, name, near(kind, name))
