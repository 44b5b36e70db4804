"""Find what a name means now: the newest published version of a workflow or action, and what a start needs of it."""

import difflib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from actions import schemas
from actions.limits import check_value
from actions.models import Action, ActionVersion
from actions.problems import Problem
from workflows.models import Step, Workflow, WorkflowVersion
from workflows.operations.errors import UnknownDefinition, UnknownVersion
from workflows.sql import Hot

VERSIONS_NAMED = 10
KEYS_COMPARED = 1_000
REMEMBERED = 1_000  # published versions never change
NORMAL = 2  # of the priorities 0 to 4


@dataclass(frozen=True, slots=True)
class Definition:
    """A published version. `first_*` name the task that is shown until the run has begun; `fits` is its input schema,
    compiled.
    """

    kind: str
    id: uuid.UUID
    name: str
    version: str
    input_schema: dict[str, Any]
    fits: Callable[[Any], bool]
    queue: str
    priority: int
    first_ref: str
    first_name: str
    first_function: str

    @property
    def scope(self) -> str:
        """Return the scope of idempotency keys: one key means one run of one definition, whatever its version."""
        return f"{self.kind}:{self.name}"

    def problems(self, value: Any) -> list[Problem]:
        """Return what keeps a value from being the input of a run."""
        return check_value(value) or ([] if self.fits(value) else schemas.problems(self.input_schema, value))


def current(kind: str) -> str:
    """Return the SELECT of what `:name` and `:version` mean now: the version asked for, or the one published last."""
    return f"""SELECT v.id FROM {kind}_version v JOIN {kind} o ON o.id = v.{kind}_id
        WHERE o.name = :name::text AND CASE WHEN :version::text IS NULL THEN v.state = 'published'
            ELSE v.version = :version::text AND v.state <> 'draft' END
        ORDER BY v.published_at DESC, v.id DESC LIMIT 1"""  # noqa: S608 - constants


_CURRENT = {kind: Hot(current(kind)) for kind in ("workflow", "action")}
_found: dict[tuple[str, str, str | None], Definition] = {}


def find(kind: str, name: str, version: str | None = None) -> Definition:
    """Return the version asked for, or the one published last. Raises UnknownDefinition."""
    rows = _CURRENT[kind].rows({"name": name, "version": version})
    if not rows:
        raise _unknown(kind, name, version)
    if len(_found) >= REMEMBERED:
        _found.clear()
    found = _found[kind, name, version] = _READ[kind](rows[0][0])
    return found


def last_found(kind: str, name: str, version: str | None) -> Definition | None:
    """Return what `find` found last: perhaps another one is published since, or this one is deprecated."""
    return _found.get((kind, name, version))


@lru_cache(maxsize=REMEMBERED)
def _workflow(version_id: uuid.UUID) -> Definition:
    row = WorkflowVersion.objects.select_related("workflow").get(pk=version_id)
    first = row.document["do"][0]
    first_name = next(iter(first))
    wanted = row.document["document"].get("metadata", {}).get("dotdo", {})
    return Definition(
        "workflow",
        row.id,
        row.workflow.name,
        row.version,
        row.input_schema,
        _fits(row.input_schema),
        wanted.get("queue", "default"),
        wanted.get("priority", NORMAL),
        f"/do/0/{first_name}",
        first_name,
        row.lock.get(first[first_name].get("call"), ""),
    )


@lru_cache(maxsize=REMEMBERED)
def _action(version_id: uuid.UUID) -> Definition:
    row = ActionVersion.objects.select_related("action").get(pk=version_id)
    name = row.action.name
    return Definition(
        "action",
        row.id,
        name,
        row.version,
        row.input_schema,
        _fits(row.input_schema),
        row.queue,
        NORMAL,
        f"/do/0/{name}",
        name,
        f"{name}:{row.version}",
    )


_READ = {"workflow": _workflow, "action": _action}


def _fits(schema: dict[str, Any]) -> Callable[[Any], bool]:
    return schemas.validator(schema).is_valid if schema else lambda _: True


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
