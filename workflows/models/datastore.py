"""The datastore: what workflows remember between steps and between runs."""

from django.db import models
from django.db.models import Q


class Entry(models.Model):
    """A value under (namespace, key). `version` counts writes, for compare-and-set."""

    id = models.BigAutoField(primary_key=True)
    namespace = models.CharField(max_length=63, default="default")
    key = models.CharField(max_length=255)
    value = models.JSONField()
    version = models.BigIntegerField(default=1)
    updated_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "entry"
        verbose_name_plural = "entries"
        default_permissions = ["view", "change"]
        constraints = [
            models.UniqueConstraint(fields=["namespace", "key"], name="entry_key_once"),
            models.CheckConstraint(condition=Q(version__gte=1), name="entry_version_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.key}"
