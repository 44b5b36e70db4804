"""The upper part of every fence. The row is written by the first process that asks, with the server it asks."""

import django.db.models.functions.datetime
from django.db import migrations, models

GUARD = """
CREATE FUNCTION epoch_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'epoch: % -> % refused', OLD.value, NEW.value
        USING ERRCODE = 'check_violation', HINT = 'fences never go backwards';
END $$;
CREATE TRIGGER epoch_grows BEFORE UPDATE ON epoch FOR EACH ROW WHEN (NEW.value < OLD.value)
    EXECUTE FUNCTION epoch_refuse();
"""
UNGUARD = "DROP TRIGGER epoch_grows ON epoch; DROP FUNCTION epoch_refuse();"


class Migration(migrations.Migration):
    dependencies = [("workflows", "0013_notifications")]
    operations = [
        migrations.CreateModel(
            name="Epoch",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("value", models.BigIntegerField()),
                ("server", models.CharField(max_length=40)),
                ("timeline", models.CharField(max_length=40)),
                ("began_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "epoch",
                "default_permissions": [],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1), ("value__gte", 0)), name="epoch_one_row")
                ],
            },
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
