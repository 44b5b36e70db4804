from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("actions", "0004_keep_days"),
    ]

    operations = [
        migrations.AddField(
            model_name="actionversion",
            name="notify",
            field=models.JSONField(
                blank=True, db_default={}, default=dict, help_text="Who is told when its runs need a person."
            ),
        ),
    ]
