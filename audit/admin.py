"""The audit trail, to be read."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.models import AuditEvent
from dotdo_site.lib.admin import ReadOnlyAdmin


@admin.register(AuditEvent)
class Events(ReadOnlyAdmin):
    """Every event; `verify_audit` checks the chains."""

    list_display = ("at", "kind", "actor", "reason", "page")
    fields = ("at", "kind", "actor", "reason", "data", "chain", "seq", "digest", "page")
    readonly_fields = ("digest", "page")
    ordering = ("-id",)

    @admin.display(description="hash")
    def digest(self, event: AuditEvent) -> str:
        """Return the hash in hexadecimal."""
        return bytes(event.hash).hex()

    @admin.display(description="run")
    def page(self, event: AuditEvent) -> SafeString | str:
        """Link to the run."""
        return format_html('<a href="/runs/{}/?view=audit">Open the run</a>', event.run) if event.run else "-"
