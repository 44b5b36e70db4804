import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("actions", "0003_undo"), ("workflows", "0007_cancelled_child")]
    operations = [
        migrations.AlterField(
            model_name="undo",
            name="action_version",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="compensations",
                to="actions.actionversion",
            ),
        ),
    ]
