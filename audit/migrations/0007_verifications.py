"""Verifications that people asked for."""

from django.db import migrations, models

import dotdo_site.lib.ids


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_tombstone_indexes")]
    operations = [
        migrations.CreateModel(
            name="Verification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("intact", "Intact"),
                            ("broken", "Broken"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=7,
                    ),
                ),
                ("asked_by", models.CharField(max_length=200)),
                ("asked_at", models.DateTimeField()),
                ("began_at", models.DateTimeField(null=True)),
                ("beat_at", models.DateTimeField(help_text="When whoever does it gave the last sign.", null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("events", models.BigIntegerField(default=0)),
                ("chains", models.BigIntegerField(default=0)),
                ("seals", models.BigIntegerField(default=0)),
                ("found", models.PositiveIntegerField(default=0, help_text="How much does not fit.")),
                ("findings", models.JSONField(default=list, help_text="The first of them, in words.")),
                ("note", models.TextField(blank=True, help_text="What it was compared with, or why it failed.")),
            ],
            options={
                "db_table": "audit_verification",
                "default_permissions": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(state__in=["waiting", "running", "intact", "broken", "failed"]),
                        name="audit_verification_state",
                    )
                ],
            },
        ),
    ]
