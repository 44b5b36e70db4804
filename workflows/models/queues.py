"""Queues that an operator paused, and those that were."""

from django.db import models
from django.db.models import Q


class Queue(models.Model):
    """What is to be known of a queue beside its steps. Most queues have no row: steps name their queue, that is all."""

    name = models.CharField(primary_key=True, max_length=63)
    paused_at = models.DateTimeField(null=True, help_text="Since when none of its steps begins.")
    paused_by = models.CharField(max_length=200, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        db_table = "queue"
        default_permissions = ["view", "change"]
        indexes = [
            # the workers and the brokers, once a second
            models.Index(fields=["name"], name="queue_paused", condition=Q(paused_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name
