import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import dotdo_site.lib.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("actions", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Worker",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("host", models.CharField(max_length=255)),
                ("pid", models.PositiveIntegerField()),
                ("code_version", models.CharField(max_length=64)),
                ("queues", models.JSONField(default=list)),
                ("started_at", models.DateTimeField()),
                ("heartbeat_at", models.DateTimeField()),
                ("stopped_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "worker",
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="Workflow",
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
                "db_table": "workflow",
                "ordering": ["name"],
                "permissions": [("publish_workflow", "Can publish workflow versions")],
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("namespace", models.CharField(default="default", max_length=63)),
                ("key", models.CharField(max_length=255)),
                ("value", models.JSONField()),
                ("version", models.BigIntegerField(default=1)),
                ("updated_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name_plural": "entries",
                "db_table": "entry",
                "default_permissions": ["view", "change"],
                "constraints": [
                    models.UniqueConstraint(fields=("namespace", "key"), name="entry_key_once"),
                    models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="entry_version_positive"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=8)),
                ("name", models.CharField(max_length=63)),
                ("state", models.CharField(default="pending", max_length=9)),
                ("reason", models.CharField(blank=True, max_length=20)),
                ("input", models.JSONField(null=True)),
                ("output", models.JSONField(null=True)),
                ("error", models.JSONField(null=True)),
                ("context", models.JSONField(default=dict)),
                ("mail_seq", models.BigIntegerField(default=0)),
                ("title", models.CharField(blank=True, max_length=200)),
                ("key", models.CharField(blank=True, max_length=255)),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), default=list, size=None
                    ),
                ),
                ("trigger", models.CharField(max_length=20)),
                ("actor", models.CharField(max_length=200)),
                ("parent_step", models.UUIDField(null=True)),
                ("root", models.UUIDField(null=True)),
                ("rerun_of", models.UUIDField(null=True)),
                ("queue", models.CharField(default="default", max_length=63)),
                ("priority", models.SmallIntegerField(default=2)),
                ("deadline_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("resolved_at", models.DateTimeField(null=True)),
                (
                    "action_version",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="actions.actionversion",
                    ),
                ),
            ],
            options={
                "db_table": "run",
                "permissions": [
                    ("start_run", "Can start actions and workflows"),
                    ("retry_run", "Can retry failed runs"),
                    ("cancel_run", "Can cancel runs"),
                    ("view_payload", "Can see sensitive fields"),
                ],
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="Branch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("frame", models.CharField(blank=True, max_length=500)),
                ("revision", models.BigIntegerField(default=0)),
                ("state", models.CharField(default="open", max_length=9)),
                ("cursor", models.JSONField(default=dict)),
                ("open", models.IntegerField(default=0)),
                ("audit_seq", models.PositiveIntegerField(default=0)),
                ("audit_head", models.BinaryField(max_length=32)),
                (
                    "parent",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="workflows.branch"),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="branches", to="workflows.run"
                    ),
                ),
            ],
            options={
                "db_table": "branch",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Step",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(max_length=1000)),
                ("ref", models.CharField(max_length=500)),
                ("name", models.CharField(max_length=100)),
                ("kind", models.CharField(max_length=6)),
                ("function", models.CharField(blank=True, max_length=120)),
                ("state", models.CharField(default="ready", max_length=9)),
                ("due_at", models.DateTimeField()),
                ("attempt", models.PositiveIntegerField(default=0, help_text="Attempts that have ended.")),
                (
                    "failures",
                    models.PositiveIntegerField(
                        default=0, help_text="Failed attempts since the last retry by a person."
                    ),
                ),
                ("claim", models.BigIntegerField(default=0, help_text="The fencing token.")),
                ("crashes", models.PositiveIntegerField(default=0)),
                ("generation", models.PositiveIntegerField(default=0, help_text="Part of the effect key.")),
                ("wake", models.BigIntegerField(default=0)),
                ("leased_by", models.UUIDField(null=True)),
                ("lease_expires_at", models.DateTimeField(null=True)),
                ("queue", models.CharField(default="default", max_length=63)),
                ("priority", models.SmallIntegerField(default=2)),
                ("input", models.JSONField(null=True)),
                ("output", models.JSONField(null=True)),
                ("error", models.JSONField(null=True)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(help_text="When the latest attempt began.", null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "action_version",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="actions.actionversion",
                    ),
                ),
                (
                    "branch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="workflows.branch",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="steps", to="workflows.run"
                    ),
                ),
            ],
            options={
                "db_table": "step",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("outcome", models.CharField(max_length=10)),
                ("input", models.JSONField(null=True)),
                ("output", models.JSONField(null=True)),
                ("error", models.JSONField(null=True)),
                ("log", models.JSONField(default=list)),
                ("worker", models.UUIDField(null=True)),
                ("code_version", models.CharField(blank=True, max_length=64)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField()),
                (
                    "step",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="attempts", to="workflows.step"
                    ),
                ),
            ],
            options={
                "db_table": "attempt",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="WorkflowVersion",
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
                ("source", models.TextField()),
                ("document", models.JSONField(default=dict)),
                ("lock", models.JSONField(default=dict)),
                ("input_schema", models.JSONField(default=dict)),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("published_at", models.DateTimeField(null=True)),
                (
                    "workflow",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="workflows.workflow"
                    ),
                ),
            ],
            options={
                "db_table": "workflow_version",
                "ordering": ["workflow", "-published_at"],
            },
        ),
        migrations.AddField(
            model_name="run",
            name="workflow_version",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="runs",
                to="workflows.workflowversion",
            ),
        ),
        migrations.CreateModel(
            name="Payload",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                ("value", models.JSONField()),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="payloads",
                        to="workflows.run",
                    ),
                ),
            ],
            options={
                "db_table": "payload",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("run", "digest"), name="payload_once")],
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("definition", models.CharField(max_length=80)),
                ("key", models.CharField(max_length=255)),
                ("digest", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="idempotency_keys", to="workflows.run"
                    ),
                ),
            ],
            options={
                "db_table": "idempotency_key",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("definition", "key"), name="idempotency_key_once")],
            },
        ),
        migrations.AddConstraint(
            model_name="branch",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "closed"])), name="branch_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="branch",
            constraint=models.UniqueConstraint(
                fields=("run", "parent", "frame"), name="branch_once", nulls_distinct=False
            ),
        ),
        migrations.AddIndex(
            model_name="step",
            index=models.Index(
                condition=models.Q(("state", "ready")), fields=["queue", "priority", "due_at"], name="step_due"
            ),
        ),
        migrations.AddIndex(
            model_name="step",
            index=models.Index(
                condition=models.Q(("state", "running")), fields=["lease_expires_at"], name="step_leased"
            ),
        ),
        migrations.AddConstraint(
            model_name="step",
            constraint=models.UniqueConstraint(fields=("run", "key"), name="step_once"),
        ),
        migrations.AddConstraint(
            model_name="step",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ["ready", "running", "waiting", "held", "succeeded", "failed", "cancelled", "skipped"],
                    )
                ),
                name="step_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="step",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ("start", "call", "wait", "task", "timer", "listen", "run", "join"))),
                name="step_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="step",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lease_expires_at__isnull", False), ("leased_by__isnull", False), ("state", "running")),
                    models.Q(
                        models.Q(("state", "running"), _negated=True),
                        ("lease_expires_at__isnull", True),
                        ("leased_by__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="step_lease",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(fields=("step", "number"), name="attempt_once"),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["succeeded", "failed", "timed_out", "crashed", "superseded"])),
                name="attempt_outcome",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("started_at__isnull", True), ("finished_at__gte", models.F("started_at")), _connector="OR"
                ),
                name="attempt_times",
            ),
        ),
        migrations.AddConstraint(
            model_name="workflowversion",
            constraint=models.UniqueConstraint(fields=("workflow", "version"), name="workflow_version_once"),
        ),
        migrations.AddConstraint(
            model_name="workflowversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "published", "deprecated"])), name="workflow_version_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="workflowversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "draft"), ("published_at__isnull", False), _connector="OR"),
                name="workflow_version_published_at",
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["state", "-id"], name="run_by_state"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["name", "-id"], name="run_by_name"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(condition=models.Q(("key", ""), _negated=True), fields=["key"], name="run_by_key"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=django.contrib.postgres.indexes.GinIndex(fields=["tags"], name="run_by_tag"),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["pending", "running", "waiting", "suspended", "failed", "succeeded", "cancelled"])
                ),
                name="run_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(condition=models.Q(("priority__range", (0, 4))), name="run_priority"),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("action_version__isnull", True), ("kind", "workflow"), ("workflow_version__isnull", False)
                    ),
                    models.Q(("action_version__isnull", False), ("kind", "action"), ("workflow_version__isnull", True)),
                    _connector="OR",
                ),
                name="run_one_definition",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", False), ("state__in", ("succeeded", "cancelled"))),
                    models.Q(
                        models.Q(("state__in", ("succeeded", "cancelled")), _negated=True),
                        ("finished_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="run_finished_at",
            ),
        ),
    ]
