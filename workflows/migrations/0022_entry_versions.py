"""What the entries of the datastore held before."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0021_batches")]
    operations = []
