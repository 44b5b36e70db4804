"""Counts that charts are drawn from, so that no page counts runs: kept by the cluster, never lowered by retention."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

SUBJECTS = ("runs", "workflow", "action")
OUTCOMES = ("succeeded", "failed", "cancelled")


class Rollup(models.Model):
    """What ended in a span of time: all runs (no name), the runs of a workflow, or the calls of an action.

    `durations` counts them by how long they took, in slots that `workflows/rollups/slots.py` numbers; what is not
    known or is zero at the end is left out. A failure counts when it happens, whatever becomes of the run later.
    """

    id = models.BigAutoField(primary_key=True)
    subject = models.CharField(max_length=8)
    name = models.CharField(max_length=63, blank=True)
    span = models.PositiveIntegerField(help_text="How many seconds it is about: 5 minutes, an hour or a day.")
    begins_at = models.DateTimeField()
    outcome = models.CharField(max_length=9)
    count = models.BigIntegerField(default=0)
    durations = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        db_table = "rollup"
        default_permissions = ()
        constraints = [
            # also what the chart of all runs reads
            models.UniqueConstraint(fields=["subject", "span", "name", "begins_at", "outcome"], name="rollup_once"),
            models.CheckConstraint(condition=Q(subject__in=SUBJECTS), name="rollup_subject"),
            models.CheckConstraint(condition=Q(outcome__in=OUTCOMES), name="rollup_outcome"),
        ]
        indexes = [
            # how well all workflows or all actions did, and what is old enough to go
            models.Index(fields=["span", "subject", "begins_at"], name="rollup_by_time"),
        ]


class RollupPlace(models.Model):
    """The one row that says up to which event of the audit trail everything is counted."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    event = models.BigIntegerField(default=0)
    counted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "rollup_place"
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="rollup_place_one_row")]


class Gauge(models.Model):
    """How many there were of something, looked at each minute: the samples of a minute or of an hour together."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=20)
    queue = models.CharField(max_length=63, blank=True)
    span = models.PositiveIntegerField(help_text="How many seconds it is about: a minute or an hour.")
    begins_at = models.DateTimeField()
    samples = models.PositiveIntegerField(default=0)
    total = models.FloatField(default=0, help_text="The sum of the samples.")
    highest = models.FloatField(default=0)

    class Meta:
        db_table = "gauge"
        default_permissions = ()
        constraints = [
            # also what a sparkline reads
            models.UniqueConstraint(fields=["span", "name", "queue", "begins_at"], name="gauge_once"),
        ]
        indexes = [
            # what is old enough to go
            models.Index(fields=["span", "begins_at"], name="gauge_by_time"),
        ]
