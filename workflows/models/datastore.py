"""The datastore: what workflows remember between steps and between runs."""

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q


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
        indexes = [
            # the search
            models.Index(OpClass(F("key"), name="text_pattern_ops"), name="entry_by_key_prefix"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.key}"


class EntryVersion(models.Model):
    """What an entry held from a moment on, or that it was deleted then: written by a trigger with every write.

    Versions begin again when an entry that was deleted is made anew, so `id` is their order.
    """

    id = models.BigAutoField(primary_key=True)
    namespace = models.CharField(max_length=63)
    key = models.CharField(max_length=255)
    version = models.BigIntegerField()
    value = models.JSONField(null=True)
    deleted = models.BooleanField(default=False)
    written_at = models.DateTimeField()
    writer = models.CharField(max_length=200, blank=True, help_text="`run:` and its id, or an actor; empty: not said.")

    class Meta:
        db_table = "entry_version"
        default_permissions = ()
        indexes = [
            # the history of an entry
            models.Index(fields=["namespace", "key", "id"], name="entry_version_of_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.key} {self.version}"
