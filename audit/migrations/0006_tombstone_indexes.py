"""Indexes that find the tombstones of a pruning and the newest ones; built beside the traffic."""

from django.db import migrations, models

from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0005_first_links")]
    operations = [
        BuildIndexConcurrently("tombstone", models.Index(fields=["batch", "chain"], name="audit_tombstone_pruning")),
        BuildIndexConcurrently("tombstone", models.Index(fields=["-at", "chain"], name="audit_tombstone_newest")),
    ]
