from django.db import migrations, models
from django.db.models import Q

OPEN = Q(function="approval:1.0.0", state__in=["ready", "running", "waiting", "held"])


class Migration(migrations.Migration):
    dependencies = [("workflows", "0004_language")]
    operations = [
        migrations.AddIndex(
            model_name="step",
            index=models.Index(fields=["id"], name="step_open_approval", condition=OPEN),
        ),
    ]
