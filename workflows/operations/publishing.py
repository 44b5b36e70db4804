"""The life of a workflow document: checked, drafted, published. A published version never changes."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from actions import schemas
from actions.models import Action, ActionVersion, Connection
from actions.problems import Problem
from actions.running import refuse_inside_handler
from audit.recording import record
from dotdo_site.lib import canonical
from workflows import approvals, expressions, occurrences
from workflows.language import loader, locking, validator
from workflows.models import Workflow, WorkflowVersion
from workflows.operations import schedules
from workflows.operations.errors import DefinitionInvalid, NotAllowed, UnknownDefinition

# What the addresses of the API mean by themselves, below `/workflows/`.
TAKEN = "validate"


@dataclass(frozen=True, slots=True)
class PublishedAction:
    """A published action as the language sees it: its versions, newest first, with their input schemas."""

    rows: Mapping[str, ActionVersion]

    @property
    def versions(self) -> Sequence[str]:
        """Return the published versions, the one published last first."""
        return list(self.rows)

    def input_schema(self, version: str) -> Mapping[str, Any]:
        """Return the JSON Schema of the arguments."""
        schema: dict[str, Any] = self.rows[version].input_schema
        return schema

    def check_input(self, version: str, value: Any) -> list[tuple[str, str]]:
        """Return (pointer, message) of what is wrong with static arguments."""
        found = schemas.problems(self.rows[version].input_schema, value)
        return [(problem.pointer, problem.message) for problem in found]

    def undo(self, version: str) -> str:
        """Return the name of the action that undoes this one, or an empty text."""
        return self.rows[version].undo


class PublishedActions:
    """What documents may use: published actions and workflows, and connections. Each is read once."""

    def __init__(self) -> None:
        self._known: dict[str, PublishedAction | None] = {}
        self._names: list[str] | None = None

    def function(self, name: str) -> PublishedAction | None:
        """Return the action, or None."""
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def _read(self, name: str) -> PublishedAction | None:
        rows = ActionVersion.objects.filter(action__name=name, state="published").order_by("-published_at")
        return PublishedAction({row.version: row for row in rows}) if rows else None

    def names(self) -> Iterable[str]:
        """Return the names of all actions that have a published version."""
        if self._names is None:
            published = Action.objects.filter(versions__state="published")
            self._names = list(published.distinct().values_list("name", flat=True))
        return self._names

    def workflow(self, namespace: str, name: str) -> Sequence[str]:
        """Return the published versions of a workflow, the one published last first."""
        rows = _published_workflows(namespace).filter(workflow__name=name).order_by("-published_at")
        return list(rows.values_list("version", flat=True))

    def workflows(self, namespace: str) -> Iterable[str]:
        """Return the names of all workflows of a namespace that have a published version."""
        return _published_workflows(namespace).order_by().values_list("workflow__name", flat=True).distinct()

    def connections(self) -> Iterable[str]:
        """Return the names of all connections."""
        return Connection.objects.values_list("name", flat=True)

    def users(self) -> Iterable[str]:
        """Return the names of all people who can sign in."""
        return approvals.known("users")

    def groups(self) -> Iterable[str]:
        """Return the names of all groups."""
        return approvals.known("groups")


def _published_workflows(namespace: str) -> QuerySet[WorkflowVersion]:
    return WorkflowVersion.objects.filter(state="published", document__document__namespace=namespace)


def check_workflow(source: str) -> tuple[dict[str, Any], list[Problem]]:
    """Read and validate a document in YAML or JSON; return it (empty when unreadable) with all its problems."""
    document, problems = examine_workflow(source)
    return document, [_problem(problem) for problem in problems]


def examine_workflow(source: str) -> tuple[dict[str, Any], list[validator.Problem]]:
    """Do the same, with what was found and what was expected apart from the message of each problem."""
    try:
        document = loader.load(source)
    except loader.LoadError as error:
        return {}, [validator.Problem("", str(error))]
    found = validator.validate(
        document,
        PublishedActions(),
        compile_expression=expressions.compiles,
        check_schema=lambda schema: [(problem.pointer, problem.message) for problem in schemas.check_schema(schema)],
        check_cron=occurrences.cron_problem,
        compile_all=expressions.compile_all,
    )
    return document, [*found, *_name_taken(document), *_never_starts(document)]


def _name_taken(document: Mapping[str, Any]) -> list[validator.Problem]:
    """Return why the name is not free."""
    name, namespace = (_member(document, "document", key) for key in ("name", "namespace"))
    if name == TAKEN:
        message = f"`{TAKEN}` is an address of the API"
    elif other := isinstance(name, str) and isinstance(namespace, str) and _other_namespace(name, namespace):
        message = f"the name `{name}` is taken by the namespace `{other}`; names are unique here"
    else:
        return []
    return [validator.Problem("/document/name", message, suggestion="Choose another name.")]


def _other_namespace(name: str, namespace: str) -> str:
    """Return the namespace of the workflow that has this name, if it is another one."""
    versions = WorkflowVersion.objects.filter(workflow__name=name).exclude(document__document__namespace=namespace)
    return versions.values_list("document__document__namespace", flat=True).first() or ""


def _never_starts(document: Mapping[str, Any]) -> list[validator.Problem]:
    """Return why a schedule by the clock could never start the workflow: it has nothing to give but `{}`."""
    schedule, schema = document.get("schedule"), _member(document, "input", "schema", "document")
    if not isinstance(schedule, dict) or "on" in schedule or schema is None or schemas.check_schema(schema):
        return []  # or it is wrong in itself, which is said already
    hint = "Make the fields optional, or start it with its input by an event (`on`) or from another workflow."
    message = "runs that the clock starts have the input {}, which the input schema refuses"
    return [
        validator.Problem("/schedule", f"{message}: {problem.pointer} {problem.message}", suggestion=hint)
        for problem in schemas.problems(schema, {})
    ]


def _member(document: Any, *way: str) -> Any:
    """Return what stands there in a document that may be wrong; None if nothing does."""
    for key in way:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _input_schema(document: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = document.get("input", {}).get("schema", {}).get("document", {})
    return schema


def draft_workflow(source: str, *, actor: str) -> WorkflowVersion:
    """Save a valid document as a draft of the version it names; an existing draft is replaced.

    The same document again as a version that is published already is that version. Raises DefinitionInvalid,
    NotAllowed.
    """
    refuse_inside_handler("draft a workflow")
    document, problems = check_workflow(source)
    if problems:
        raise DefinitionInvalid(problems)
    about = document["document"]
    with transaction.atomic():
        workflow = _workflow(about)
        version = (
            WorkflowVersion.objects.select_for_update().filter(workflow=workflow, version=about["version"]).first()
        )
        stored = locking.stored(document)
        digest = canonical.digest(stored)
        if version is not None and version.state != "draft":
            return _published_already(version, digest)
        version = version or WorkflowVersion(workflow=workflow, version=about["version"])
        version.source, version.document, version.digest = source, stored, digest
        version.input_schema = _input_schema(stored)
        version.save()
        _record("workflow.drafted", version, actor, "")
    return version


def publish_workflow(version_id: uuid.UUID, *, actor: str, reason: str = "") -> WorkflowVersion:
    """Check a draft once more, lock it to the action versions of this moment, and publish it.

    Raises UnknownDefinition, NotAllowed, DefinitionInvalid.
    """
    refuse_inside_handler("publish a workflow")
    with transaction.atomic():
        version = WorkflowVersion.objects.select_for_update().filter(pk=version_id).first()
        if version is None:
            raise UnknownDefinition("draft of a workflow", str(version_id), [])
        if version.state != "draft":
            raise NotAllowed(f"Version {version.version} is {version.state} already.")
        document, problems = check_workflow(version.source)
        if problems:
            raise DefinitionInvalid(problems)
        version.lock = locking.lock_functions(document, PublishedActions())
        version.state, version.published_at = WorkflowVersion.State.PUBLISHED, Now()
        version.save(update_fields=["lock", "state", "published_at"])
        version.refresh_from_db()
        _record("workflow.published", version, actor, reason)
        schedules.follow(version, actor=actor)
    return version


def _workflow(about: Mapping[str, Any]) -> Workflow:
    """Return the workflow that a document belongs to, its title and description brought up to date."""
    workflow, _ = Workflow.objects.get_or_create(name=about["name"])
    other = _other_namespace(workflow.name, about["namespace"])
    if other:  # since the document was checked
        raise NotAllowed(
            f"The name {workflow.name} is taken by namespace {other}; names are unique here, choose another one."
        )
    workflow.title, workflow.description = about.get("title", ""), about.get("summary", "")
    workflow.save(update_fields=["title", "description"])
    return workflow


def _published_already(version: WorkflowVersion, digest: str) -> WorkflowVersion:
    if version.digest == digest:
        return version
    raise NotAllowed(
        f"Version {version.version} of {version.workflow.name} is {version.state} and never changes; "
        "raise `document.version` to publish this text."
    )


def _problem(found: validator.Problem) -> Problem:
    parts = [
        found.message,
        f"found {found.found}" if found.found else "",
        f"expected {found.expected}" if found.expected else "",
    ]
    sentence = "; ".join(part for part in parts if part)
    return Problem(found.pointer, "language", f"{sentence}. {found.suggestion}" if found.suggestion else sentence)


def _record(kind: str, version: WorkflowVersion, actor: str, reason: str) -> None:
    data = {"name": version.workflow.name, "version": version.version, "digest": version.digest}
    record(chain=version.workflow_id, kind=kind, actor=actor, reason=reason, data=data)
