"""Failures in groups of the same cause."""

from django.db import migrations, models

from dotdo_site.lib.ids import uuid7

# The database deletes the rows itself: code of the release before, which deletes runs, does not know them.
CASCADE = """
ALTER TABLE failure ADD CONSTRAINT failure_of_run
    FOREIGN KEY (run_id) REFERENCES run (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0019_rollups")]
    operations = [
        migrations.CreateModel(
            name="FailureGroup",
            fields=[
                ("id", models.UUIDField(default=uuid7, editable=False, primary_key=True, serialize=False)),
                ("fingerprint", models.CharField(max_length=32, unique=True)),
                ("kind", models.CharField(max_length=8)),
                ("name", models.CharField(max_length=63)),
                ("step", models.CharField(blank=True, max_length=100)),
                ("code", models.CharField(max_length=100)),
                ("message", models.CharField(blank=True, max_length=300)),
                ("state", models.CharField(default="open", max_length=8)),
                ("count", models.BigIntegerField(default=0)),
                ("open_runs", models.PositiveIntegerField(default=0)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                ("first_version", models.CharField(max_length=40)),
                ("last_version", models.CharField(max_length=40)),
                (
                    "since_version",
                    models.BooleanField(default=False, help_text="It began within a day of a new version."),
                ),
                ("regressed_at", models.DateTimeField(help_text="When it came back after it was resolved.", null=True)),
                ("settled_at", models.DateTimeField(help_text="When it was resolved or ignored.", null=True)),
                ("settled_by", models.CharField(blank=True, max_length=200)),
                ("settled_because", models.TextField(blank=True)),
                ("ignored_until", models.DateTimeField(null=True)),
                (
                    "ignored_count",
                    models.BigIntegerField(help_text="Ignored until it happened so often in all.", null=True),
                ),
            ],
            options={
                "db_table": "failure_group",
                "default_permissions": ["view", "change"],
                "indexes": [
                    models.Index(
                        models.F("state"),
                        models.OrderBy(models.F("last_seen_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="failure_group_by_state",
                    ),
                    models.Index(fields=["kind", "name", "step", "code"], name="failure_group_by_place"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "resolved", "ignored"])), name="failure_group_state"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "ignored"), _negated=True),
                            ("ignored_until__isnull", False),
                            ("ignored_count__isnull", False),
                            _connector="OR",
                        ),
                        name="failure_group_ignored_until",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Failure",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("failed_at", models.DateTimeField()),
                ("version", models.CharField(max_length=40)),
                ("open", models.BooleanField(default=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=models.deletion.CASCADE,
                        related_name="failures",
                        to="workflows.run",
                    ),
                ),
                (
                    "group",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.deletion.CASCADE,
                        related_name="failures",
                        to="workflows.failuregroup",
                    ),
                ),
            ],
            options={
                "db_table": "failure",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["group"], name="failure_by_group"),
                    models.Index(condition=models.Q(("open", True)), fields=["group", "run"], name="failure_open"),
                ],
                "constraints": [models.UniqueConstraint(fields=("run", "failed_at"), name="failure_once")],
            },
        ),
        migrations.CreateModel(
            name="FailureCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("begins_at", models.DateTimeField()),
                ("version", models.CharField(max_length=40)),
                ("count", models.BigIntegerField(default=0)),
                (
                    "group",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.deletion.CASCADE,
                        related_name="counts",
                        to="workflows.failuregroup",
                    ),
                ),
            ],
            options={
                "db_table": "failure_count",
                "default_permissions": (),
                "indexes": [models.Index(fields=["begins_at"], name="failure_count_by_time")],
                "constraints": [
                    models.UniqueConstraint(fields=("group", "begins_at", "version"), name="failure_count_once")
                ],
            },
        ),
        migrations.RunSQL(CASCADE, "ALTER TABLE failure DROP CONSTRAINT failure_of_run"),
    ]
