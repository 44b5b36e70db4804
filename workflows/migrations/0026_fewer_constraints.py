"""Foreign keys that each start and each step had checked, at the price of a lock on a row that all workers share.

A trigger lets nobody delete a published version; the run of a step is kept by the constraint of its branch. Branches are
updated with every step: with room on their page that needs no new entries in their indexes.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("actions", "0005_notify"), ("workflows", "0025_search_indexes")]
    operations = [
        migrations.AlterField(
            model_name="run",
            name="action_version",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="runs",
                to="actions.actionversion",
            ),
        ),
        migrations.AlterField(
            model_name="run",
            name="workflow_version",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="runs",
                to="workflows.workflowversion",
            ),
        ),
        migrations.AlterField(
            model_name="step",
            name="action_version",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="actions.actionversion",
            ),
        ),
        migrations.AlterField(
            model_name="step",
            name="run",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="steps",
                to="workflows.run",
            ),
        ),
        migrations.RunSQL("ALTER TABLE branch SET (fillfactor = 60)", "ALTER TABLE branch RESET (fillfactor)"),
    ]
