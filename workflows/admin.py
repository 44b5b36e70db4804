"""Workflows are drafted, published and then never changed; runs and what belongs to them are only read."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dotdo_site.lib.admin import ReadOnlyAdmin, RowInline
from dotdo_site.lib.drafts import DraftAdmin, DraftForm
from workflows import admin_events, admin_notifications, operations
from workflows.models import Attempt, Entry, Run, Step, Worker, Workflow, WorkflowVersion
from workflows.operations import DefinitionInvalid, OperationError

__all__ = ["admin_events", "admin_notifications"]  # they register their pages
START = """document:
  dsl: 1.0.3
  namespace: default
  name: my-workflow
  version: 1.0.0
do:
  - first:
      call: my-action
      with: {}
"""


class DocumentForm(DraftForm):
    """One field: the document. Name and version are what the document says."""

    source = forms.CharField(strip=False, widget=forms.Textarea(attrs={"rows": 28, "spellcheck": "false"}))

    class Meta:
        model = WorkflowVersion
        fields = ("source",)

    def clean(self) -> dict[str, Any]:
        """Save the draft and, if that is asked for, publish it: both or neither. Nothing else can be wrong here."""
        cleaned = super().clean()
        source = cleaned.get("source", "").replace("\r\n", "\n")
        if self.errors:
            for problem in operations.check_workflow(source)[1] if source else ():
                self.add_error("source", str(problem))
            return cleaned
        try:
            self.drafted = self._keep(source, cleaned["reason"])
        except DefinitionInvalid as refused:
            self.add_error("source", list(map(str, refused.problems)))
        except OperationError as refused:
            self.add_error("source", refused.message)
        return cleaned

    @transaction.atomic
    def _keep(self, source: str, reason: str) -> WorkflowVersion:
        draft = operations.draft_workflow(source, actor=self.actor)
        if not self.publishing:
            return draft
        return operations.publish_workflow(draft.pk, actor=self.actor, reason=reason)


@admin.register(WorkflowVersion)
class Versions(DraftAdmin):
    """The versions of workflows."""

    form = DocumentForm
    publish_permission = "workflows.publish_workflow"
    list_display = ("workflow", "version", "state", "published_at")
    list_filter = ("state",)
    list_select_related = ("workflow",)
    readonly_fields = ("workflow", "version", "state", "published_at", "lock", "digest")
    search_fields = ("workflow__name",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Give the form the person who saves."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), self.settings_of_form(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for the document only; show the facts of what exists."""
        return ("source",) if obj is None else (*self.readonly_fields[:4], "source", *self.readonly_fields[4:])

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin a new draft with the text of another version."""
        origin = WorkflowVersion.objects.filter(pk=_uuid(request.GET.get("from"))).first()
        return {"source": origin.source if origin else START}

    def has_change_permission(self, request: HttpRequest, obj: WorkflowVersion | None = None) -> bool:
        """Allow drafts only."""
        return (obj is None or obj.state == "draft") and super().has_change_permission(request, obj)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """Offer the links that the state allows."""
        version = get_object_or_404(WorkflowVersion, pk=_uuid(object_id))
        add = reverse("admin:workflows_workflowversion_add")
        may_copy = version.state != "draft" and self.has_add_permission(request)
        context = {
            "copy_url": f"{add}?{urlencode({'from': version.pk})}" if may_copy else "",
            "page_url": reverse("workflow", args=[version.workflow.name]),
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})


class VersionsOf(RowInline):
    """The versions of a workflow."""

    model = WorkflowVersion
    fields = readonly_fields = ("version", "state", "published_at")
    show_change_link = True
    can_delete = False
    max_num = extra = 0

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a version has its own page."""
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a version has its own page."""
        return False


@admin.register(Workflow)
class Workflows(ReadOnlyAdmin):
    """Names with versions; a draft of a version makes or changes them."""

    list_display = ("name", "title")
    fields = ("name", "title", "description", "keep_days", "created_at")
    inlines = (VersionsOf,)


class Linked(ReadOnlyAdmin):
    """Rows of runs: facts only. The values are on the pages, where they are masked."""

    view_permission = "workflows.view_run"
    readonly_fields = ("page",)
    ordering = ("-id",)

    @admin.display(description="page")
    def page(self, row: Any) -> SafeString:
        """Link to the run's page."""
        run = row.pk if isinstance(row, Run) else row.run_id if isinstance(row, Step) else row.step.run_id
        return format_html('<a href="{}">Open the run</a>', reverse("run", args=[run]))


@admin.register(Run)
class Runs(Linked):
    """Runs."""

    list_display = ("id", "name", "state", "reason", "key", "created_at", "page")
    list_filter = ("state", "kind")
    fields = (
        "page", "id", "kind", "name", "workflow_version", "action_version", "state", "reason", "title", "key", "tags",
        "trigger", "actor", "queue", "priority", "created_at", "started_at", "finished_at", "resolved_at",
    )  # fmt: skip


@admin.register(Step)
class Steps(Linked):
    """Steps of runs."""

    list_display = ("id", "name", "state", "attempt", "due_at", "page")
    list_filter = ("state", "kind")
    fields = (
        "page", "id", "name", "kind", "function", "key", "ref", "state", "due_at", "attempt", "failures", "crashes",
        "claim", "generation", "leased_by", "lease_expires_at", "queue", "priority", "created_at",
        "started_at", "finished_at",
    )  # fmt: skip


@admin.register(Attempt)
class Attempts(Linked):
    """Attempts at steps."""

    list_display = ("id", "number", "outcome", "finished_at", "page")
    list_filter = ("outcome",)
    list_select_related = ("step",)
    fields = ("page", "number", "outcome", "worker", "code_version", "started_at", "finished_at")


@admin.register(Entry)
class Entries(ReadOnlyAdmin):
    """The datastore, without the values: those are on its page, masked, and written there."""

    list_display = ("namespace", "key", "version", "updated_at", "page")
    fields = ("page", "namespace", "key", "version", "updated_at", "expires_at")
    readonly_fields = ("page",)

    @admin.display(description="page")
    def page(self, entry: Entry) -> SafeString:
        """Link to the entry's page."""
        query = urlencode({"namespace": entry.namespace, "key": entry.key})
        return format_html('<a href="{}?{}">Open the entry</a>', reverse("entry"), query)


@admin.register(Worker)
class Workers(ReadOnlyAdmin):
    """Worker processes."""

    list_display = ("id", "host", "pid", "code_version", "started_at", "heartbeat_at", "stopped_at")
    ordering = ("-started_at",)


def _uuid(text: Any) -> Any:
    """Return the id, or an id that no row has."""
    try:
        return forms.UUIDField().to_python(text)
    except forms.ValidationError:
        return None
