import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import dotdo_site.lib.ids

# An error in here would keep a run from being parked: it costs the notice instead. `stopped_at` tells one failure of a
# run from the next.
TRIGGER = """
CREATE FUNCTION run_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notice (kind, source, definition, queue, run, episode, data, state, created_at)
    VALUES (CASE NEW.reason WHEN 'undo_failed' THEN 'undo_failed' ELSE 'dead_letter' END, '', NEW.name, NEW.queue,
        NEW.id, extract(epoch FROM NEW.stopped_at)::text, jsonb_build_object('reason', NEW.reason), 'new',
        clock_timestamp())
    ON CONFLICT DO NOTHING;
    RETURN NULL;
EXCEPTION WHEN others THEN
    RAISE WARNING 'no notice was written for run %: %', NEW.id, SQLERRM;
    RETURN NULL;
END $$;
CREATE TRIGGER run_noticed AFTER UPDATE OF state ON run FOR EACH ROW
    WHEN (NEW.state = 'failed' AND OLD.state <> 'failed' AND NEW.reason <> 'undone') EXECUTE FUNCTION run_notice();
CREATE INDEX workflow_version_waits ON workflow_version (workflow_id)
    WHERE state <> 'draft' AND document #> '{document,metadata,dotdo,notify,after}' IS NOT NULL;
"""
UNDO = """
DROP INDEX workflow_version_waits; DROP TRIGGER run_noticed ON run; DROP FUNCTION run_notice();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("actions", "0005_notify"),
        ("workflows", "0012_chores"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=20)),
                ("source", models.CharField(blank=True, max_length=60)),
                ("definition", models.CharField(blank=True, max_length=120)),
                ("queue", models.CharField(blank=True, max_length=63)),
                ("run", models.UUIDField(null=True)),
                ("episode", models.CharField(blank=True, max_length=60)),
                ("data", models.JSONField(default=dict)),
                ("state", models.CharField(default="new", max_length=4)),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "notice",
                "default_permissions": (),
                "indexes": [models.Index(condition=models.Q(("state", "new")), fields=["id"], name="notice_new")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("state__in", ["new", "told"])), name="notice_state"),
                    models.UniqueConstraint(
                        condition=models.Q(("run__isnull", False)),
                        fields=("run", "kind", "source", "episode"),
                        name="notice_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("ended_at__isnull", True), ("run__isnull", True), models.Q(("source", ""), _negated=True)
                        ),
                        fields=("kind", "source", "definition", "queue"),
                        name="notice_open_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NotificationMute",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("definition", models.CharField(blank=True, max_length=120)),
                ("run", models.UUIDField(null=True)),
                ("until", models.DateTimeField()),
                ("by", models.CharField(max_length=200)),
                ("reason", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "notification_mute",
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("run__isnull", True), models.Q(("definition", ""), _negated=True)),
                            models.Q(("definition", ""), ("run__isnull", False)),
                            _connector="OR",
                        ),
                        name="notification_mute_one",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("run__isnull", True)),
                        fields=("definition",),
                        name="notification_mute_definition",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("run__isnull", False)), fields=("run",), name="notification_mute_run"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NotificationRule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                ("enabled", models.BooleanField(default=True)),
                (
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), size=None),
                ),
                (
                    "definitions",
                    models.CharField(default="*", help_text="Names of actions and workflows.", max_length=500),
                ),
                ("queues", models.CharField(default="*", max_length=500)),
                ("after_seconds", models.PositiveIntegerField(default=900)),
                (
                    "email",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=254), blank=True, default=list, size=None
                    ),
                ),
                ("webhook", models.CharField(blank=True, max_length=500)),
                ("group_seconds", models.PositiveIntegerField(default=600)),
                ("muted_until", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "connection",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notification_rules",
                        to="actions.connection",
                    ),
                ),
            ],
            options={
                "db_table": "notification_rule",
                "ordering": ["name"],
                "default_permissions": ["add", "change", "view"],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=dotdo_site.lib.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("channel", models.CharField(help_text="email or webhook.", max_length=7)),
                ("address", models.CharField(max_length=500)),
                (
                    "connection",
                    models.CharField(blank=True, help_text="Holds the secret that signs it.", max_length=63),
                ),
                ("kind", models.CharField(max_length=20)),
                ("definition", models.CharField(blank=True, max_length=120)),
                ("because", models.CharField(blank=True, max_length=200)),
                ("state", models.CharField(default="waiting", max_length=7)),
                ("due_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("claim", models.BigIntegerField(default=0)),
                ("lease_expires_at", models.DateTimeField(null=True)),
                ("content", models.JSONField(default=dict)),
                ("error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "rule",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="notifications",
                        to="workflows.notificationrule",
                    ),
                ),
            ],
            options={
                "db_table": "notification",
                "permissions": [("mute_notification", "Can mute notifications and send them again")],
                "default_permissions": ["view"],
            },
        ),
        migrations.CreateModel(
            name="NotificationItem",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("recipient", models.CharField(max_length=520)),
                (
                    "notice",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="workflows.notice",
                    ),
                ),
                (
                    "notification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="items", to="workflows.notification"
                    ),
                ),
            ],
            options={
                "db_table": "notification_item",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("notice", "recipient"), name="notification_item_once")],
            },
        ),
        migrations.AddConstraint(
            model_name="notificationrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("webhook", ""), ("connection__isnull", False), _connector="OR"),
                name="notification_signed",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(condition=models.Q(("state", "waiting")), fields=["due_at"], name="notification_due"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                models.F("channel"),
                models.F("address"),
                models.F("kind"),
                models.F("definition"),
                models.OrderBy(models.F("id"), descending=True),
                name="notification_like",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["state", "-id"], name="notification_by_state"),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "sent", "dropped", "dead", "gone"])),
                name="notification_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(("channel__in", ["email", "webhook"])), name="notification_channel"
            ),
        ),
        migrations.RunSQL(TRIGGER, UNDO),
    ]
