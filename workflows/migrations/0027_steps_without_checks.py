"""The branch of a step is not checked with each step: the same statement has locked it. What is checked is its end.

Whoever deletes the branch that a run begins with deletes the run's steps as well, by the end of the transaction.
"""

import django.db.models.deletion
from django.db import migrations, models

SQL = """
CREATE FUNCTION branch_refuse_leaving() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM step WHERE run_id = OLD.run_id) THEN
        RAISE EXCEPTION 'branch %: the steps of run % are still there', OLD.id, OLD.run_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER branch_last AFTER DELETE ON branch DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.parent_id IS NULL) EXECUTE FUNCTION branch_refuse_leaving();
"""
UNDO = "DROP FUNCTION branch_refuse_leaving() CASCADE"


class Migration(migrations.Migration):
    dependencies = [("workflows", "0026_fewer_constraints")]
    operations = [
        migrations.AlterField(
            model_name="step",
            name="branch",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="steps",
                to="workflows.branch",
            ),
        ),
        migrations.RunSQL(SQL, UNDO),
    ]
