"""Commands to many runs: what was asked for, and what became of it for each run.

A batch names its runs when it is started, so that what it works off is what a person was shown. `workflows.batches`
works it off; the end of a batch, or a stop, is written once.
"""

from django.db import models
from django.db.models import Q

from dotdo_site.lib.ids import uuid7

BATCH_STATES = {
    "running": "The housekeeper works it off, so many runs a second.",
    "finished": "Every run had its turn.",
    "stopped": "A person ended it: the runs that had no turn stay as they are.",
}
ITEM_STATES = {
    "waiting": "Has not had its turn.",
    "done": "The command was given to the run.",
    "skipped": "The state of the run did not allow it; `note` says why.",
    "failed": "The command broke off with a fault of its own and changed nothing; `note` says which.",
}
VERBS = ("retry", "cancel", "resolve", "suspend", "resume")


class Batch(models.Model):
    """One command to many runs. `chosen` is what the person picked: a filter with its moment, or a number of ids."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    verb = models.CharField(max_length=10)
    state = models.CharField(max_length=8, default="running")
    chosen = models.JSONField(default=dict)
    as_of = models.DateTimeField(help_text="Runs that are newer are not among them.")
    shown = models.PositiveIntegerField(help_text="How many runs the person was told of.")
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    rate = models.FloatField(help_text="Runs a second.")
    due_at = models.DateTimeField(help_text="When the next run has its turn.")
    actor = models.CharField(max_length=200)
    reason = models.TextField()
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "batch"
        default_permissions = ["view", "change"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(BATCH_STATES)), name="batch_state"),
            models.CheckConstraint(condition=Q(verb__in=VERBS), name="batch_verb"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="batch_rate"),
            models.CheckConstraint(
                condition=Q(state="running", ended_at__isnull=True) | (~Q(state="running") & Q(ended_at__isnull=False)),
                name="batch_ended_at",
            ),
        ]
        indexes = [
            # what the housekeeper works off, the one that waits longest first
            models.Index(fields=["due_at"], name="batch_due", condition=Q(state="running")),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.id}"


class BatchItem(models.Model):
    """One run of a batch. The run may be gone while the item is still there."""

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="items", db_index=False)
    run = models.UUIDField()
    state = models.CharField(max_length=7, default="waiting")
    note = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "batch_item"
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(ITEM_STATES)), name="batch_item_state"),
            models.UniqueConstraint(fields=["batch", "run"], name="batch_item_once"),
        ]
        indexes = [
            # the next one, and the page of a batch
            models.Index(fields=["batch", "state", "id"], name="batch_item_by_state"),
        ]
