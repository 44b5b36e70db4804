"""Verifications that people asked for."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_tombstone_indexes")]
    operations = []
