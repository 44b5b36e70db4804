"""Commands to many runs, and views of the run list that people keep."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from dotdo_site.lib.ids import uuid7

# The database deletes the rows itself: code of the release before, which deletes people, does not know them.
CASCADE = """
ALTER TABLE saved_view ADD CONSTRAINT saved_view_of_user
    FOREIGN KEY (user_id) REFERENCES auth_user (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
"""


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0020_failures"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.UUIDField(default=uuid7, editable=False, primary_key=True, serialize=False)),
                ("verb", models.CharField(max_length=10)),
                ("state", models.CharField(default="running", max_length=8)),
                ("chosen", models.JSONField(default=dict)),
                ("as_of", models.DateTimeField(help_text="Runs that are newer are not among them.")),
                ("shown", models.PositiveIntegerField(help_text="How many runs the person was told of.")),
                ("total", models.PositiveIntegerField()),
                ("done", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("rate", models.FloatField(help_text="Runs a second.")),
                ("due_at", models.DateTimeField(help_text="When the next run has its turn.")),
                ("actor", models.CharField(max_length=200)),
                ("reason", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "batch",
                "default_permissions": ["view", "change"],
                "indexes": [
                    models.Index(condition=models.Q(("state", "running")), fields=["due_at"], name="batch_due")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["running", "finished", "stopped"])), name="batch_state"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("verb__in", ("retry", "cancel", "resolve", "suspend", "resume"))),
                        name="batch_verb",
                    ),
                    models.CheckConstraint(condition=models.Q(("rate__gt", 0)), name="batch_rate"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("state", "running")),
                            models.Q(models.Q(("state", "running"), _negated=True), ("ended_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="batch_ended_at",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BatchItem",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("run", models.UUIDField()),
                ("state", models.CharField(default="waiting", max_length=7)),
                ("note", models.TextField(blank=True)),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="workflows.batch",
                    ),
                ),
            ],
            options={
                "db_table": "batch_item",
                "default_permissions": (),
                "indexes": [models.Index(fields=["batch", "state", "id"], name="batch_item_by_state")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["waiting", "done", "skipped", "failed"])),
                        name="batch_item_state",
                    ),
                    models.UniqueConstraint(fields=("batch", "run"), name="batch_item_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.UUIDField(default=uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=60)),
                ("query", models.CharField(max_length=2000)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "saved_view",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("user", "name"), name="saved_view_once")],
            },
        ),
        migrations.RunSQL(CASCADE, "ALTER TABLE saved_view DROP CONSTRAINT saved_view_of_user"),
    ]
