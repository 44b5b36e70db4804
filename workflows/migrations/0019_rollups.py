"""Counts kept by the cluster, from which charts are drawn."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0018_indexes_of_trouble")]
    operations = []
