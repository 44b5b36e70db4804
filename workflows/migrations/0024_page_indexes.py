"""Indexes of the operators' pages."""

from django.db import migrations, models
from django.db.models import Q

from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0023_queues")]
    operations = [
        BuildIndexConcurrently(
            "run", models.Index(fields=["rerun_of"], name="run_by_rerun", condition=Q(rerun_of__isnull=False))
        ),
    ]
