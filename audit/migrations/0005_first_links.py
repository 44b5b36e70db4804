"""An index that finds the oldest chains for pruning; built beside the traffic."""

from django.db import migrations, models

from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0004_pruning")]
    operations = [
        BuildIndexConcurrently(
            "auditevent",
            models.Index(fields=["at", "id"], name="audit_event_first", condition=models.Q(seq=0)),
        ),
    ]
