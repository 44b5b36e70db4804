from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0002_guards")]

    operations = [
        migrations.AddIndex(
            model_name="step",
            index=models.Index(
                condition=models.Q(("action_version__isnull", False)),
                fields=["action_version", "-id"],
                name="step_by_action",
            ),
        ),
    ]
