from django.db import migrations, models

from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel("Step", [("id", models.UUIDField(primary_key=True))], {"db_table": "step"})
            ]
        ),
        BuildIndexConcurrently("step", models.Index(fields=["id"], name="step_beside")),
    ]
