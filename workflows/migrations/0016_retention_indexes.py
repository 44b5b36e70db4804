"""Indexes of what retention deletes, of foreign keys that deleting checks, of open listens; built beside the traffic."""

from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently

OVER = Q(parent_step__isnull=True) & (
    Q(finished_at__isnull=False) | Q(resolved_at__isnull=False) | Q(state="failed", reason="undone")
)
ENDED = Coalesce("finished_at", "resolved_at", "stopped_at")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0015_retention")]
    operations = [
        BuildIndexConcurrently(
            "run",
            models.Index(F("kind"), F("name"), ENDED, F("id"), name="run_over", condition=OVER),
        ),
        BuildIndexConcurrently(
            "run", models.Index(fields=["root"], name="run_by_root", condition=Q(root__isnull=False))
        ),
        BuildIndexConcurrently("step", models.Index(fields=["branch"], name="step_by_branch")),
        BuildIndexConcurrently(
            "message", models.Index(fields=["step"], name="message_by_step", condition=Q(step__isnull=False))
        ),
        BuildIndexConcurrently(
            "undo", models.Index(fields=["step"], name="undo_by_step", condition=Q(step__isnull=False))
        ),
        BuildIndexConcurrently(
            "step",
            models.Index(
                fields=["id"], name="step_open_listen", condition=Q(kind="listen", state__in=["ready", "waiting"])
            ),
        ),
        # step_once (run, key) serves whoever looks for the steps of a run
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS step_run_id_1334c86e",
                    "CREATE INDEX step_run_id_1334c86e ON step (run_id)",
                )
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="step",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=models.deletion.CASCADE,
                        related_name="steps",
                        to="workflows.run",
                    ),
                )
            ],
        ),
    ]
