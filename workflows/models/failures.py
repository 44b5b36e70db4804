"""Failures in groups of the same cause: one repair for many runs, and a memory of what was repaired before."""

from django.db import models
from django.db.models import F, Q

from dotdo_site.lib.ids import uuid7
from workflows.models.runs import Run

GROUP_STATES = {
    "open": "Somebody should look.",
    "resolved": "Its cause was removed; it opens again when it happens again.",
    "ignored": "Known, and nobody has to look before the moment or the count that was given.",
}


class FailureGroup(models.Model):
    """A workflow or action, a step, an error code and a message without ids, numbers and values.

    Nothing else of a message is kept here, so a run that is erased leaves nothing of its data behind. `count` is how
    often it happened, ever; `open_runs` how many runs waited for a person when the chore last looked.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    fingerprint = models.CharField(max_length=32, unique=True)
    kind = models.CharField(max_length=8)
    name = models.CharField(max_length=63)
    step = models.CharField(max_length=100, blank=True)
    code = models.CharField(max_length=100)
    message = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=8, default="open")
    count = models.BigIntegerField(default=0)
    open_runs = models.PositiveIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    first_version = models.CharField(max_length=40)
    last_version = models.CharField(max_length=40)
    since_version = models.BooleanField(default=False, help_text="It began within a day of a new version.")
    regressed_at = models.DateTimeField(null=True, help_text="When it came back after it was resolved.")
    settled_at = models.DateTimeField(null=True, help_text="When it was resolved or ignored.")
    settled_by = models.CharField(max_length=200, blank=True)
    settled_because = models.TextField(blank=True)
    ignored_until = models.DateTimeField(null=True)
    ignored_count = models.BigIntegerField(null=True, help_text="Ignored until it happened so often in all.")

    class Meta:
        db_table = "failure_group"
        default_permissions = ["view", "change"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(GROUP_STATES)), name="failure_group_state"),
            models.CheckConstraint(
                condition=~Q(state="ignored") | Q(ignored_until__isnull=False) | Q(ignored_count__isnull=False),
                name="failure_group_ignored_until",
            ),
        ]
        indexes = [
            # the list of groups, the one that happened last at the top
            models.Index(F("state"), F("last_seen_at").desc(), F("id").desc(), name="failure_group_by_state"),
            # how many groups one place has already
            models.Index(fields=["kind", "name", "step", "code"], name="failure_group_by_place"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.step} {self.code}"


class Failure(models.Model):
    """A run came to rest as failed at a moment; the next time is another row.

    A run is openly in a group as long as it is unresolved and has rested since `failed_at`; `open` is what the chore
    saw last, so whoever counts looks at the open rows only and asks their runs.
    """

    id = models.BigAutoField(primary_key=True)
    # the migration makes a constraint that deletes by itself
    run = models.ForeignKey(Run, models.CASCADE, related_name="failures", db_index=False, db_constraint=False)
    group = models.ForeignKey(FailureGroup, models.CASCADE, related_name="failures", db_index=False)
    failed_at = models.DateTimeField()
    version = models.CharField(max_length=40)
    open = models.BooleanField(default=True)

    class Meta:
        db_table = "failure"
        default_permissions = ()
        constraints = [
            # also the foreign key, when runs are deleted
            models.UniqueConstraint(fields=["run", "failed_at"], name="failure_once"),
        ]
        indexes = [
            # whether a group has any runs left
            models.Index(fields=["group"], name="failure_by_group"),
            # the open runs of a group
            models.Index(fields=["group", "run"], name="failure_open", condition=Q(open=True)),
        ]


class FailureCount(models.Model):
    """How often a group happened in an hour with a version; stays when the runs go."""

    id = models.BigAutoField(primary_key=True)
    group = models.ForeignKey(FailureGroup, models.CASCADE, related_name="counts", db_index=False)
    begins_at = models.DateTimeField()
    version = models.CharField(max_length=40)
    count = models.BigIntegerField(default=0)

    class Meta:
        db_table = "failure_count"
        default_permissions = ()
        constraints = [
            # also what trends are drawn from
            models.UniqueConstraint(fields=["group", "begins_at", "version"], name="failure_count_once"),
        ]
        indexes = [
            # what is old enough to go
            models.Index(fields=["begins_at"], name="failure_count_by_time"),
        ]
