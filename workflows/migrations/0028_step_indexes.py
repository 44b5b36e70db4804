"""Indexes of steps that the way from one step to the next writes half as often: not while a step runs, or only then."""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently

OPEN = ("ready", "running", "waiting", "held", "failed")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0027_steps_without_checks")]
    operations = [
        BuildIndexConcurrently(
            "step", models.Index(fields=["branch"], name="step_open_by_branch", condition=Q(state__in=OPEN))
        ),
        BuildIndexConcurrently(
            "step",
            models.Index(
                fields=["action_version", "-id"],
                name="step_idle_by_action",
                condition=Q(action_version__isnull=False) & ~Q(state="running"),
            ),
        ),
        RemoveIndexConcurrently("step", "step_by_branch"),
        RemoveIndexConcurrently("step", "step_by_action"),
    ]
