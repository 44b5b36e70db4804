"""Actions and workflows: what there is, and in which versions. Lists and pages read no document that is not shown."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Prefetch, Q, QuerySet

from actions.models import Action, ActionVersion
from dotdo_site.lib.paging import decode, encode
from workflows.models import Workflow, WorkflowVersion
from workflows.queries.rows import ActionDetail, ActionRow, Page, VersionRow, WorkflowDetail, WorkflowRow
from workflows.sql import Statement

PAGE_SIZE = 50
VERSION_FIELDS = ("version", "state", "created_at", "published_at")
Version = TypeVar("Version", ActionVersion, WorkflowVersion)
Definition = TypeVar("Definition", Action, Workflow)
Row = TypeVar("Row", ActionRow, WorkflowRow)

# The newest published version of every workflow that calls an action, or that names it as what undoes a call.
_USED_BY = Statement(
    """
    SELECT w.name, v.version, v.id FROM workflow w
    CROSS JOIN LATERAL (
        SELECT id, version, lock FROM workflow_version
        WHERE workflow_id = w.id AND state = 'published' ORDER BY published_at DESC LIMIT 1) v
    WHERE EXISTS (
        SELECT FROM jsonb_each(v.lock) l
        WHERE starts_with(l.value #>> '{}', :name || ':') AND NOT starts_with(l.key, 'workflow:')
            OR jsonb_typeof(l.value) = 'object' AND l.value ->> 'function' = :name)
    ORDER BY w.name LIMIT 200
    """
)


def actions() -> list[ActionRow]:
    """Return all actions by name."""
    return [_action_row(found, _current(list(found.versions.all()))) for found in _actions()]


def action_page(
    *, q: str = "", after: str | None = None, before: str | None = None, limit: int = PAGE_SIZE
) -> Page[ActionRow]:
    """Return a page of the actions by name; `q` is searched in name, title and description. Raises BadCursor."""
    return _page(_searched(_actions(), q), _action_row, after, before, limit)


def action(name: str, version: str = "") -> ActionDetail | None:
    """Return an action with the contract of a version, or of the one that a start would use (or its newest draft)."""
    found = _actions().filter(name=name).first()
    if found is None:
        return None
    versions = list(found.versions.all())
    current = _current(versions)
    chosen = _chosen(versions, version)
    if version and chosen is None:
        return None
    shown = ActionVersion.objects.get(pk=chosen.pk) if chosen else ActionVersion()
    row = _action_row(found, shown if chosen else None)
    return ActionDetail(
        **{name: getattr(row, name) for name in ActionRow.__slots__},
        current=current.version if current else "",
        input_schema=shown.input_schema,
        output_schema=shown.output_schema,
        retry=shown.retry,
        timeout_ms=shown.timeout_ms,
        transactional=shown.transactional,
        on_crash=shown.on_crash,
        queue=shown.queue,
        undo=shown.undo,
        notify=shown.notify,
        config=shown.config,
        versions=[_version_row(version) for version in versions],
    )


def used_by(name: str) -> list[tuple[str, str, uuid.UUID]]:
    """Return (workflow, version, its id) of the first 200 workflows whose published version is locked to an action."""
    return _USED_BY.rows({"name": name})


def workflows() -> list[WorkflowRow]:
    """Return all workflows by name."""
    return [_workflow_row(found, _current(list(found.versions.all()))) for found in _workflows()]


def workflow_page(
    *, q: str = "", after: str | None = None, before: str | None = None, limit: int = PAGE_SIZE
) -> Page[WorkflowRow]:
    """Return a page of the workflows by name; `q` is searched in name, title and description. Raises BadCursor."""
    return _page(_searched(_workflows(), q), _workflow_row, after, before, limit)


def workflow(name: str, version: str = "") -> WorkflowDetail | None:
    """Return a workflow with the document of a version, or of the one that a start would use (or its newest draft)."""
    found = _workflows().filter(name=name).first()
    if found is None:
        return None
    versions = list(found.versions.all())
    current = _current(versions)
    chosen = _chosen(versions, version)
    if version and chosen is None:
        return None
    shown = WorkflowVersion.objects.get(pk=chosen.pk) if chosen else WorkflowVersion()
    row = _workflow_row(found, shown if chosen else None)
    return WorkflowDetail(
        **{name: getattr(row, name) for name in WorkflowRow.__slots__},
        current=current.version if current else "",
        source=shown.source,
        document=shown.document,
        lock=shown.lock,
        input_schema=shown.input_schema,
        versions=[_version_row(version) for version in versions],
    )


def _actions() -> QuerySet[Action]:
    newest = ActionVersion.objects.order_by("-published_at", "-created_at")
    light = newest.only("action", "kind", "effect", *VERSION_FIELDS)
    return Action.objects.order_by("name").prefetch_related(Prefetch("versions", light))


def _workflows() -> QuerySet[Workflow]:
    newest = WorkflowVersion.objects.order_by("-published_at", "-created_at").only("workflow", *VERSION_FIELDS)
    return Workflow.objects.order_by("name").prefetch_related(Prefetch("versions", newest))


def _searched(rows: QuerySet[Definition], text: str) -> QuerySet[Definition]:
    if not text:
        return rows
    return rows.filter(Q(name__icontains=text) | Q(title__icontains=text) | Q(description__icontains=text))


def _page(
    rows: QuerySet[Definition], make: Callable[[Any, Any], Row], after: str | None, before: str | None, limit: int
) -> Page[Row]:
    if before:
        found = list(rows.filter(name__lt=decode(before, str)[0]).order_by("-name")[: limit + 1])
        more, items = len(found) > limit, found[:limit][::-1]
        previous, following = more, True
    else:
        found = list(rows.filter(name__gt=decode(after, str)[0] if after else "")[: limit + 1])
        items, previous, following = found[:limit], bool(after), len(found) > limit
    return Page(
        [make(each, _current(list(each.versions.all()))) for each in items],
        encode(items[-1].name) if items and following else None,
        encode(items[0].name) if items and previous else None,
    )


def _current(versions: Sequence[Version]) -> Version | None:
    """Return the version published last; without one, the newest draft. PostgreSQL sorts drafts (NULL) first."""
    published = [version for version in versions if version.state == "published"]
    return next(iter(published or versions), None)


def _chosen(versions: Sequence[Version], version: str) -> Version | None:
    return next((each for each in versions if each.version == version), None) if version else _current(versions)


def _action_row(found: Action, current: ActionVersion | None) -> ActionRow:
    return ActionRow(
        id=found.id,
        name=found.name,
        title=found.title,
        description=found.description,
        version=current.version if current else "",
        state=current.state if current else "",
        kind=current.kind if current else "",
        effect=current.effect if current else "",
    )


def _workflow_row(found: Workflow, current: WorkflowVersion | None) -> WorkflowRow:
    return WorkflowRow(
        id=found.id,
        name=found.name,
        title=found.title,
        description=found.description,
        version=current.version if current else "",
        state=current.state if current else "",
    )


def _version_row(version: ActionVersion | WorkflowVersion) -> VersionRow:
    return VersionRow(
        id=version.id,
        version=version.version,
        state=version.state,
        created_at=version.created_at,
        published_at=version.published_at,
    )
