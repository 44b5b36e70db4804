"""Signed endpoints are set up here; what came in through them, and every event, is only read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dotdo_site.lib.admin import NAME_RULE, ReadOnlyAdmin, RowAdmin, RowForm, actor
from workflows import operations
from workflows.models import Delivery, Endpoint, Event, Workflow


class EndpointForm(RowForm):
    """What is signed how, and what it does."""

    class Meta:
        model = Endpoint
        fields = ("name", "description", "style", "connection", "effect", "workflow", "event_type", "enabled")
        help_texts = {
            "name": "Part of the address: small letters, digits and hyphens.",
            "style": "How the sender signs: Standard Webhooks, GitHub or Stripe.",
            "connection": "Holds the secret; each of its parts is tried, so an old and a new one may overlap.",
            "effect": "Start a workflow with what is sent as its input, or deliver it as an event.",
            "workflow": "For start: its newest published version.",
            "event_type": "For event: such as com.example.order.paid.",
        }
        error_messages = {"name": {"invalid": NAME_RULE}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "workflow" in self.fields:
            published = Workflow.objects.filter(versions__state="published").distinct()
            self.fields["workflow"].queryset = published  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Ask for what the effect needs, and drop what it does not use."""
        cleaned = super().clean() or {}
        needed, other, why = (
            ("workflow", "event_type", "Choose the workflow that is started.")
            if cleaned.get("effect") == Endpoint.Effect.START
            else ("event_type", "workflow", "Give the type of the events.")
        )
        if needed not in self.errors and not cleaned.get(needed):
            self.add_error(needed, why)
        cleaned[other] = None if other == "workflow" else ""
        self._check_secret(cleaned)
        return cleaned

    def _check_secret(self, cleaned: dict[str, Any]) -> None:
        style, connection = cleaned.get("style"), cleaned.get("connection")
        if style and connection and (wrong := operations.secret_problem(style, connection)):
            self.add_error("connection", f"{wrong} Nothing that comes in could be believed.")


@admin.register(Endpoint)
class Endpoints(RowAdmin):
    """Named, signed doors for webhooks."""

    form = EndpointForm
    list_display = ("name", "style", "effect", "enabled", "address")
    list_filter = ("style", "enabled")
    fields = (*EndpointForm.Meta.fields, "address")
    readonly_fields = ("address",)
    actions = None

    @admin.display(description="address")
    def address(self, endpoint: Endpoint) -> str:
        """Return where the sender posts to."""
        return operations.endpoint_url(endpoint.name) if endpoint.name else "made from the name"

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        """Save and record."""
        operations.save_endpoint(obj, actor=actor(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: it is switched off instead, and its log stays."""
        return False


class Linked(ReadOnlyAdmin):
    """Rows that may belong to a run."""

    ordering = ("-id",)
    readonly_fields = ("page",)

    @admin.display(description="run")
    def page(self, row: Any) -> SafeString | str:
        """Link to the run."""
        return format_html('<a href="{}">Open the run</a>', reverse("run", args=[row.run_id])) if row.run_id else "-"


@admin.register(Delivery)
class Deliveries(Linked):
    """What came in at the endpoints, and what became of it."""

    list_display = ("received_at", "endpoint", "outcome", "status", "message_id", "reason", "became")
    list_filter = ("outcome", "endpoint")
    list_select_related = ("endpoint",)
    fields = ("received_at", "endpoint", "outcome", "status", "reason", "message_id", "bytes", "became")
    readonly_fields = ("became",)

    @admin.display(description="became")
    def became(self, row: Delivery) -> SafeString | str:
        """Link to the run that was started, or to the event that was delivered."""
        if row.event_id is None:
            return self.page(row)
        return format_html(
            '<a href="{}">Open the event</a>', reverse("admin:workflows_event_change", args=[row.event_id])
        )


@admin.register(Event)
class Events(Linked):
    """The inbox."""

    list_display = ("received_at", "type", "source", "event_id", "via", "page")
    list_filter = ("via",)
    search_fields = ("=type", "=event_id")
    fields = ("received_at", "type", "source", "event_id", "subject", "via", "page", "envelope")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the envelopes out of the list."""
        return super().get_queryset(request).defer("envelope")
