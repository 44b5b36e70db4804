"""Queues that rest, and workers that take no more work."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0022_entry_versions")]
    operations = [
        migrations.CreateModel(
            name="Queue",
            fields=[
                ("name", models.CharField(max_length=63, primary_key=True, serialize=False)),
                ("paused_at", models.DateTimeField(help_text="Since when none of its steps begins.", null=True)),
                ("paused_by", models.CharField(blank=True, max_length=200)),
                ("reason", models.TextField(blank=True)),
            ],
            options={
                "db_table": "queue",
                "default_permissions": ["view", "change"],
                "indexes": [
                    models.Index(condition=models.Q(("paused_at__isnull", False)), fields=["name"], name="queue_paused")
                ],
            },
        ),
        migrations.AlterModelOptions(
            name="worker",
            options={"default_permissions": ["view"], "permissions": [("drain_worker", "Can drain workers")]},
        ),
        migrations.AddField(
            model_name="worker",
            name="draining_at",
            field=models.DateTimeField(help_text="Since when it takes no further step.", null=True),
        ),
        migrations.AddField(
            model_name="worker",
            name="draining_by",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
    ]
