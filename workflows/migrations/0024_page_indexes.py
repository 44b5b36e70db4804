"""Indexes of the operators' pages."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0023_queues")]
    operations = []
