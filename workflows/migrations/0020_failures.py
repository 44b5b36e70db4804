"""Failures in groups of the same cause."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0019_rollups")]
    operations = []
