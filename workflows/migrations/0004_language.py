import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import dotdo_site.lib.ids


class Migration(migrations.Migration):
    dependencies = [
        ("actions", "0003_undo"),
        ("workflows", "0003_step_by_action"),
    ]

    operations = [
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("message_id", models.CharField(blank=True, max_length=255)),
                ("outcome", models.CharField(help_text="accepted, replayed or refused.", max_length=10)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("status", models.PositiveSmallIntegerField()),
                ("bytes", models.PositiveIntegerField()),
                ("received_at", models.DateTimeField()),
            ],
            options={
                "db_table": "delivery",
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="Endpoint",
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
                (
                    "style",
                    models.CharField(
                        choices=[("standard", "Standard"), ("github", "Github"), ("stripe", "Stripe")],
                        default="standard",
                        max_length=10,
                    ),
                ),
                (
                    "effect",
                    models.CharField(choices=[("start", "Start"), ("event", "Event")], default="event", max_length=10),
                ),
                (
                    "event_type",
                    models.CharField(blank=True, help_text="The type of the events that it delivers.", max_length=255),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "db_table": "endpoint",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("source", models.CharField(max_length=500)),
                ("event_id", models.CharField(max_length=255)),
                ("type", models.CharField(max_length=255)),
                ("subject", models.CharField(blank=True, max_length=255)),
                ("envelope", models.JSONField(help_text="The whole CloudEvent, data included.")),
                ("via", models.CharField(help_text="api, webhook, endpoint, emit or person.", max_length=20)),
                ("received_at", models.DateTimeField()),
            ],
            options={
                "db_table": "event",
                "permissions": [("send_event", "Can send events")],
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(help_text="event or answer.", max_length=10)),
                ("data", models.JSONField(null=True)),
                ("created_at", models.DateTimeField()),
                ("consumed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "message",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=5)),
                ("spec", models.JSONField()),
                ("timezone", models.CharField(default="UTC", max_length=64)),
                ("state", models.CharField(default="active", max_length=6)),
                (
                    "missed",
                    models.CharField(default="latest", help_text="After downtime: skip, latest or all.", max_length=6),
                ),
                ("next_at", models.DateTimeField(null=True)),
                (
                    "pending",
                    models.JSONField(default=dict, help_text="Events that an `all` has had so far, by filter."),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "db_table": "schedule",
                "default_permissions": ["view", "change"],
            },
        ),
        migrations.CreateModel(
            name="ScheduleFire",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("nominal_at", models.DateTimeField()),
                (
                    "skipped",
                    models.BooleanField(
                        default=False, help_text="Missed in downtime and left out, as the policy says."
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "schedule_fire",
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("index", models.PositiveSmallIntegerField(default=0, help_text="Which filter of the strategy.")),
                ("type", models.CharField(blank=True, max_length=255)),
                ("source", models.CharField(blank=True, max_length=500)),
                ("correlate_from", models.TextField(blank=True)),
                ("correlate_hash", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "db_table": "subscription",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Undo",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("place", models.CharField(max_length=1000)),
                ("key", models.CharField(help_text="The key of the step that is undone.", max_length=1000)),
                ("ref", models.CharField(max_length=500)),
                ("name", models.CharField(max_length=100)),
                ("function", models.CharField(max_length=120)),
                ("input", models.JSONField(null=True)),
                ("state", models.CharField(default="recorded", max_length=8)),
            ],
            options={
                "db_table": "undo",
                "default_permissions": (),
            },
        ),
        migrations.AlterModelOptions(
            name="run",
            options={
                "default_permissions": ["view"],
                "permissions": [
                    ("start_run", "Can start actions and workflows"),
                    ("retry_run", "Can retry failed runs"),
                    ("cancel_run", "Can cancel runs"),
                    ("suspend_run", "Can suspend and resume runs"),
                    ("skip_step", "Can skip steps"),
                    ("fire_timer", "Can end waits early"),
                    ("undo_run", "Can undo runs"),
                    ("answer_approval", "Can answer approvals"),
                    ("view_payload", "Can see sensitive fields"),
                ],
            },
        ),
        migrations.RemoveConstraint(
            model_name="step",
            name="step_kind",
        ),
        migrations.AddField(
            model_name="branch",
            name="closed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="branch",
            name="error",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="branch",
            name="index",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="branch",
            name="join_step",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="branch",
            name="output",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="branch",
            name="rest",
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AddField(
            model_name="run",
            name="depth",
            field=models.PositiveSmallIntegerField(default=0, help_text="How many runs are above this one."),
        ),
        migrations.AddField(
            model_name="run",
            name="parent_index",
            field=models.PositiveIntegerField(default=0, help_text="Which of the children of that step."),
        ),
        migrations.AddField(
            model_name="run",
            name="stopped_at",
            field=models.DateTimeField(help_text="Since when it is failed or suspended: deadlines pause.", null=True),
        ),
        migrations.AddField(
            model_name="step",
            name="caught",
            field=models.BooleanField(
                default=False, help_text="Failed, and the workflow went on: nobody has to repair it."
            ),
        ),
        migrations.AlterField(
            model_name="branch",
            name="frame",
            field=models.CharField(blank=True, max_length=1000),
        ),
        migrations.AlterField(
            model_name="run",
            name="parent_step",
            field=models.UUIDField(help_text="The step of the run that started this one.", null=True),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(
                    ("parent_step__isnull", False), models.Q(("state__in", ("succeeded", "cancelled")), _negated=True)
                ),
                fields=["parent_step"],
                name="run_open_child",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(
                condition=models.Q(("parent_step__isnull", False)),
                fields=("parent_step", "parent_index"),
                name="run_child_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="step",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("kind__in", ("start", "call", "wait", "task", "timer", "listen", "run", "join", "emit", "undo"))
                ),
                name="step_kind",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="run",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="deliveries", to="workflows.run"
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="connection",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="endpoints", to="actions.connection"
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="workflow",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="endpoints",
                to="workflows.workflow",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="endpoint",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="workflows.endpoint"
            ),
        ),
        migrations.AddField(
            model_name="event",
            name="run",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="events", to="workflows.run"
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="event",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="deliveries", to="workflows.event"
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="event",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="messages", to="workflows.event"
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="run",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="messages", to="workflows.run"
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="step",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="messages",
                to="workflows.step",
            ),
        ),
        migrations.AddField(
            model_name="schedule",
            name="version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="schedules", to="workflows.workflowversion"
            ),
        ),
        migrations.AddField(
            model_name="schedule",
            name="workflow",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="schedule", to="workflows.workflow"
            ),
        ),
        migrations.AddField(
            model_name="schedulefire",
            name="run",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="fires", to="workflows.run"
            ),
        ),
        migrations.AddField(
            model_name="schedulefire",
            name="schedule",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="fires", to="workflows.schedule"
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="schedule",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="subscriptions",
                to="workflows.schedule",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="step",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="subscriptions",
                to="workflows.step",
            ),
        ),
        migrations.AddField(
            model_name="undo",
            name="action_version",
            field=models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to="actions.actionversion"
            ),
        ),
        migrations.AddField(
            model_name="undo",
            name="run",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="undos", to="workflows.run"
            ),
        ),
        migrations.AddField(
            model_name="undo",
            name="step",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="undoes",
                to="workflows.step",
            ),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("style__in", ["standard", "github", "stripe"])), name="endpoint_style"
            ),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("effect", "start"), ("workflow__isnull", False)),
                    models.Q(("effect", "event"), models.Q(("event_type", ""), _negated=True)),
                    _connector="OR",
                ),
                name="endpoint_effect",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["type", "-id"], name="event_by_type"),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.UniqueConstraint(fields=("source", "event_id"), name="event_once"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                models.F("endpoint"), models.OrderBy(models.F("id"), descending=True), name="delivery_by_endpoint"
            ),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(
                condition=models.Q(("outcome", "accepted")), fields=("endpoint", "message_id"), name="delivery_once"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("consumed_at__isnull", True)), fields=["step", "id"], name="message_of_step"
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["event", "answer"])), name="message_kind"
            ),
        ),
        migrations.AddIndex(
            model_name="schedule",
            index=models.Index(
                condition=models.Q(("next_at__isnull", False), ("state", "active")),
                fields=["next_at"],
                name="schedule_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["every", "cron", "after", "on"])), name="schedule_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["active", "paused"])), name="schedule_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="schedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("missed__in", ["skip", "latest", "all"])), name="schedule_missed"
            ),
        ),
        migrations.AddConstraint(
            model_name="schedulefire",
            constraint=models.UniqueConstraint(fields=("schedule", "nominal_at"), name="schedule_fire_once"),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(fields=["type", "correlate_hash"], name="subscription_by_type"),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("schedule__isnull", True), ("step__isnull", False)),
                    models.Q(("schedule__isnull", False), ("step__isnull", True)),
                    _connector="OR",
                ),
                name="subscription_one_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="undo",
            constraint=models.UniqueConstraint(fields=("run", "place"), name="undo_once"),
        ),
        migrations.AddConstraint(
            model_name="undo",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["recorded", "running", "done"])), name="undo_state"
            ),
        ),
    ]
