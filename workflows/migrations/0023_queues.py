"""Queues that rest, and workers that take no more work."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0022_entry_versions")]
    operations = []
