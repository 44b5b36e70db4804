"""The audit trail, to be read."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.models import Anchor, AuditEvent, Seal, Tombstone
from dotdo_site.lib.admin import ReadOnlyAdmin

SEE = "audit.view_auditevent"


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


@admin.register(Seal)
class Seals(ReadOnlyAdmin):
    """The seals over the chains, newest first."""

    view_permission = SEE
    list_display = ("number", "at", "count", "signed")
    fields = ("number", "at", "count", "reach", "horizon", "root_hex", "previous_hex", "hash_hex", "key", "signed")
    readonly_fields = ("root_hex", "previous_hex", "hash_hex", "signed")
    ordering = ("-number",)

    @admin.display(description="root")
    def root_hex(self, seal: Seal) -> str:
        """Return the root in hexadecimal."""
        return bytes(seal.root).hex()

    @admin.display(description="hash of the seal before")
    def previous_hex(self, seal: Seal) -> str:
        """Return it in hexadecimal."""
        return bytes(seal.previous).hex()

    @admin.display(description="hash")
    def hash_hex(self, seal: Seal) -> str:
        """Return the hash in hexadecimal."""
        return bytes(seal.hash).hex()

    @admin.display(boolean=True)
    def signed(self, seal: Seal) -> bool:
        """Tell whether somebody signed it."""
        return bool(seal.key)


@admin.register(Anchor)
class Anchors(ReadOnlyAdmin):
    """How far the seals were brought to places outside the database, and what stands in the way."""

    view_permission = SEE
    list_display = ("target", "upto", "tried_at", "failures", "error")
    ordering = ("target",)


@admin.register(Tombstone)
class Tombstones(ReadOnlyAdmin):
    """What is left of pruned chains."""

    view_permission = SEE
    list_display = ("chain", "at", "first_at", "last_at", "seq")
    fields = ("chain", "seq", "first_at", "last_at", "at", "batch", "export", "digest")
    readonly_fields = ("digest",)
    ordering = ("-at", "chain")

    @admin.display(description="hash")
    def digest(self, tombstone: Tombstone) -> str:
        """Return the hash of the last link in hexadecimal."""
        return bytes(tombstone.hash).hex()
