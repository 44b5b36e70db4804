import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import dotdo_site.lib.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Action",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=63,
                        unique=True,
                        validators=[django.core.validators.RegexValidator("^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")],
                    ),
                ),
                ("title", models.CharField(blank=True, max_length=200)),
                ("description", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "db_table": "action",
                "ordering": ["name"],
                "permissions": [("publish_action", "Can publish action versions")],
            },
        ),
        migrations.CreateModel(
            name="Connection",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=63,
                        unique=True,
                        validators=[django.core.validators.RegexValidator("^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")],
                    ),
                ),
                ("description", models.TextField(blank=True)),
                ("allowed_hosts", models.JSONField(default=list)),
                ("ciphertext", models.TextField(editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("rotated_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "db_table": "connection",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="ActionVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "version",
                    models.CharField(
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator("^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)$")
                        ],
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "Draft"), ("published", "Published"), ("deprecated", "Deprecated")],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("kind", models.CharField(max_length=20)),
                ("config", models.JSONField(default=dict)),
                ("input_schema", models.JSONField(default=dict)),
                ("output_schema", models.JSONField(default=dict)),
                ("retry", models.JSONField(default=dict)),
                ("timeout_ms", models.PositiveIntegerField(default=30000)),
                (
                    "effect",
                    models.CharField(
                        choices=[("pure", "Pure"), ("keyed", "Keyed"), ("unsafe", "Unsafe")],
                        default="keyed",
                        max_length=10,
                    ),
                ),
                ("transactional", models.BooleanField(default=False)),
                (
                    "on_crash",
                    models.CharField(choices=[("retry", "Retry"), ("park", "Park")], default="retry", max_length=10),
                ),
                ("queue", models.CharField(default="default", max_length=63)),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("published_at", models.DateTimeField(null=True)),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="actions.action"
                    ),
                ),
            ],
            options={
                "db_table": "action_version",
                "ordering": ["action", "-published_at"],
                "constraints": [
                    models.UniqueConstraint(fields=("action", "version"), name="action_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["draft", "published", "deprecated"])),
                        name="action_version_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "draft"), ("published_at__isnull", False), _connector="OR"),
                        name="action_version_published_at",
                    ),
                ],
            },
        ),
    ]
