"""The number of a link counts from the one before it; a constraint would be read anew with each step of a run."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0008_search_indexes")]
    operations = [migrations.AlterField(model_name="auditevent", name="seq", field=models.IntegerField())]
