"""Indexes of what is in trouble: branches that no worker can go on with, failed runs that nobody has settled."""

from django.db import migrations, models
from django.db.models import Q

from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0017_places")]
    operations = [
        BuildIndexConcurrently(
            "branch",
            models.Index(fields=["id"], name="branch_blocked", condition=Q(state="open", rest="blocked")),
        ),
        BuildIndexConcurrently(
            "run",
            models.Index(
                fields=["-id"],
                name="run_unresolved",
                condition=Q(state="failed", resolved_at__isnull=True) & ~Q(reason="undone"),
            ),
        ),
    ]
