"""The table of what happened."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("chain", models.UUIDField()),
                ("seq", models.PositiveIntegerField()),
                ("run", models.UUIDField(null=True)),
                ("kind", models.CharField(max_length=60)),
                ("actor", models.CharField(max_length=200)),
                ("reason", models.TextField(blank=True)),
                ("at", models.DateTimeField()),
                ("data", models.TextField(help_text="Canonical JSON: text, because the hash covers its bytes.")),
                ("hash", models.BinaryField(max_length=32)),
            ],
            options={
                "db_table": "audit_event",
                "permissions": [("export_audit", "Can export the audit trail")],
                "default_permissions": ["view"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("run__isnull", False)), fields=["run", "id"], name="audit_event_run"
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("chain", "seq"), name="audit_event_link_once")],
            },
        ),
    ]
