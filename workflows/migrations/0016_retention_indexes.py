"""Indexes that find what retention deletes, and those of foreign keys that deleting checks; built beside the traffic."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

OVER = Q(parent_step__isnull=True) & (
    Q(finished_at__isnull=False) | Q(resolved_at__isnull=False) | Q(state="failed", reason="undone")
)
ENDED = Coalesce("finished_at", "resolved_at", "stopped_at")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0015_retention")]
    operations = [
        AddIndexConcurrently(
            "run",
            models.Index(F("kind"), F("name"), ENDED, F("id"), name="run_over", condition=OVER),
        ),
        AddIndexConcurrently("run", models.Index(fields=["root"], name="run_by_root", condition=Q(root__isnull=False))),
        AddIndexConcurrently("step", models.Index(fields=["branch"], name="step_by_branch")),
        AddIndexConcurrently(
            "message", models.Index(fields=["step"], name="message_by_step", condition=Q(step__isnull=False))
        ),
        AddIndexConcurrently(
            "undo", models.Index(fields=["step"], name="undo_by_step", condition=Q(step__isnull=False))
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
