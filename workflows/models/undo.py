"""What has to be undone if a run's scope fails: one row per completed step with an undo, last one first."""

from django.db import models
from django.db.models import Q

from actions.models import ActionVersion
from workflows.models.runs import Run, Step


class Undo(models.Model):
    """A compensation, recorded in the checkpoint that completed its step. `place` is the step's key without attempts.

    `state` is recorded, running (its step exists) or done; a try that runs again replaces what is recorded.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, models.CASCADE, related_name="undos", db_index=False)
    place = models.CharField(max_length=1000)
    key = models.CharField(max_length=1000, help_text="The key of the step that is undone.")
    ref = models.CharField(max_length=500)
    name = models.CharField(max_length=100)
    function = models.CharField(max_length=120)
    action_version = models.ForeignKey(
        ActionVersion, models.PROTECT, null=True, related_name="compensations", db_index=False
    )
    input = models.JSONField(null=True)
    state = models.CharField(max_length=8, default="recorded")
    step = models.ForeignKey(Step, models.CASCADE, null=True, related_name="undoes", db_index=False)

    class Meta:
        db_table = "undo"
        default_permissions = ()
        indexes = [
            # the foreign key, when steps are deleted
            models.Index(fields=["step"], name="undo_by_step", condition=Q(step__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["run", "place"], name="undo_once"),
            models.CheckConstraint(condition=Q(state__in=["recorded", "running", "done"]), name="undo_state"),
        ]
