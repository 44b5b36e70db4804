from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("actions", "0003_undo"),
    ]

    operations = [
        migrations.AddField(
            model_name="action",
            name="keep_days",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="How long finished runs are kept. Empty: as long as DOTDO_RETENTION_DAYS says.",
                null=True,
            ),
        ),
    ]
