"""What happened. Rows are only ever inserted: triggers refuse UPDATE, DELETE and TRUNCATE, for every role."""

from django.db import models


class AuditEvent(models.Model):
    """One link of a hash chain. `chain` is a branch of a run, or the id of the object that changed."""

    id = models.BigAutoField(primary_key=True)
    chain = models.UUIDField()
    seq = models.PositiveIntegerField()
    run = models.UUIDField(null=True)
    kind = models.CharField(max_length=60)
    actor = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()
    data = models.TextField(help_text="Canonical JSON: text, because the hash covers its bytes.")
    hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_event"
        permissions = [("export_audit", "Can export the audit trail")]
        default_permissions = ["view"]
        constraints = [models.UniqueConstraint(fields=["chain", "seq"], name="audit_event_link_once")]
        indexes = [
            # read by the run page and by erasure
            models.Index(fields=["run", "id"], name="audit_event_run", condition=models.Q(run__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.seq}"
