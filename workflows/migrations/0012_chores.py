from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0011_labels"),
    ]

    operations = [
        migrations.CreateModel(
            name="Chore",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("next_at", models.DateTimeField()),
                ("began_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True, help_text="Why the last round failed.")),
            ],
            options={
                "db_table": "chore",
                "default_permissions": ["view"],
            },
        ),
        migrations.AddField(
            model_name="workflow",
            name="keep_days",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="How long finished runs are kept. Empty: as long as DOTDO_RETENTION_DAYS says.",
                null=True,
            ),
        ),
    ]
