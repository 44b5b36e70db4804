from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("workflows", "0006_skip")]
    operations = [
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["parent_step"],
                name="run_cancelled_child",
                condition=Q(parent_step__isnull=False, state="cancelled"),
            ),
        ),
    ]
