from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("workflows", "0009_subscription_expressions")]
    operations = [
        migrations.RemoveIndex(model_name="run", name="run_open_child"),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["parent_step", "state"],
                name="run_open_child",
                condition=Q(parent_step__isnull=False) & ~Q(state__in=("succeeded", "cancelled")),
            ),
        ),
    ]
