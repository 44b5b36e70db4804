"""Actions and workflows: what there is, and in which versions."""

from typing import TypeVar

from django.db.models import Prefetch, QuerySet

from actions.models import Action, ActionVersion
from workflows.models import Workflow, WorkflowVersion
from workflows.queries.rows import ActionDetail, ActionRow, VersionRow, WorkflowDetail, WorkflowRow

Version = TypeVar("Version", ActionVersion, WorkflowVersion)


def actions() -> list[ActionRow]:
    """Return all actions by name."""
    return [_action_row(found, _current(list(found.versions.all()))) for found in _actions()]


def action(name: str) -> ActionDetail | None:
    """Return an action with the contract of the version that a start would use (or its newest draft), or None."""
    found = _actions().filter(name=name).first()
    if found is None:
        return None
    versions = list(found.versions.all())
    current = _current(versions)
    row = _action_row(found, current)
    shown = current or ActionVersion()
    return ActionDetail(
        **{name: getattr(row, name) for name in ActionRow.__slots__},
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


def workflows() -> list[WorkflowRow]:
    """Return all workflows by name."""
    return [_workflow_row(found, _current(list(found.versions.all()))) for found in _workflows()]


def workflow(name: str) -> WorkflowDetail | None:
    """Return a workflow with the document that a start would use (or its newest draft), or None."""
    found = _workflows().filter(name=name).first()
    if found is None:
        return None
    versions = list(found.versions.all())
    current = _current(versions)
    row = _workflow_row(found, current)
    shown = current or WorkflowVersion()
    return WorkflowDetail(
        **{name: getattr(row, name) for name in WorkflowRow.__slots__},
        source=shown.source,
        document=shown.document,
        lock=shown.lock,
        input_schema=shown.input_schema,
        versions=[_version_row(version) for version in versions],
    )


def _actions() -> QuerySet[Action]:
    newest = ActionVersion.objects.order_by("-published_at", "-created_at")
    return Action.objects.order_by("name").prefetch_related(Prefetch("versions", newest))


def _workflows() -> QuerySet[Workflow]:
    newest = WorkflowVersion.objects.order_by("-published_at", "-created_at")
    return Workflow.objects.order_by("name").prefetch_related(Prefetch("versions", newest))


def _current(versions: list[Version]) -> Version | None:
    """Return the version published last; without one, the newest draft. PostgreSQL sorts drafts (NULL) first."""
    published = [version for version in versions if version.state == "published"]
    return next(iter(published or versions), None)


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
