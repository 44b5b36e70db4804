"""When workflows start by themselves, and which start was made for which moment."""

from django.db import models
from django.db.models import Q

from dotdo_site.lib.ids import uuid7
from workflows.models.definitions import Workflow, WorkflowVersion
from workflows.models.runs import Run


class Schedule(models.Model):
    """The `schedule` of a workflow's newest published version. `next_at` is the next nominal moment, if it has one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workflow = models.OneToOneField(Workflow, models.CASCADE, related_name="schedule")
    version = models.ForeignKey(WorkflowVersion, models.PROTECT, related_name="schedules")
    kind = models.CharField(max_length=5)
    spec = models.JSONField()
    timezone = models.CharField(max_length=64, default="UTC")
    state = models.CharField(max_length=6, default="active")
    missed = models.CharField(max_length=6, default="latest", help_text="After downtime: skip, latest or all.")
    next_at = models.DateTimeField(null=True)
    pending = models.JSONField(default=dict, help_text="Events that an `all` has had so far, by filter.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "schedule"
        default_permissions = ["view", "change"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["every", "cron", "after", "on"]), name="schedule_kind"),
            models.CheckConstraint(condition=Q(state__in=["active", "paused"]), name="schedule_state"),
            models.CheckConstraint(condition=Q(missed__in=["skip", "latest", "all"]), name="schedule_missed"),
        ]
        indexes = [
            # what is due
            models.Index(fields=["next_at"], name="schedule_due", condition=Q(state="active", next_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.workflow.name} {self.kind}"


class ScheduleFire(models.Model):
    """One start by a schedule: unique per nominal moment, so that two schedulers make one run."""

    id = models.BigAutoField(primary_key=True)
    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="fires")
    nominal_at = models.DateTimeField()
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="fires")
    skipped = models.BooleanField(default=False, help_text="Missed in downtime and left out, as the policy says.")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="When its run ended, once that is deleted.")

    class Meta:
        db_table = "schedule_fire"
        default_permissions = ["view"]
        constraints = [models.UniqueConstraint(fields=["schedule", "nominal_at"], name="schedule_fire_once")]
