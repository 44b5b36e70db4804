"""Commands to many runs, and views of the run list that people keep."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0020_failures")]
    operations = []
