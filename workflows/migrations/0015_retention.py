"""Runs are deleted when they are over, whole, and never otherwise: the database refuses everything else.

What belongs to a run is deleted after it (foreign keys are checked at the commit), so that a step that is done, an
attempt, a branch or a value never goes while its run is there.
"""

from django.db import migrations, models

OVER = (
    "OLD.state IN ('succeeded', 'cancelled')"
    " OR (OLD.state = 'failed' AND (OLD.resolved_at IS NOT NULL OR OLD.reason = 'undone'))"
)
KEPT = {
    "branch": "gone JOIN run r ON r.id = gone.run_id",
    "step": "gone JOIN run r ON r.id = gone.run_id AND gone.state IN ('succeeded', 'cancelled', 'skipped')",
    "attempt": "gone JOIN step s ON s.id = gone.step_id JOIN run r ON r.id = s.run_id",
    "payload": "gone JOIN run r ON r.id = gone.run_id",
}
RUN = f"""
CREATE FUNCTION run_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'run %: a run that is % is not deleted', OLD.id, OLD.state
        USING ERRCODE = 'check_violation', HINT = 'it has to end, or to be marked as resolved';
END $$;
CREATE TRIGGER run_whole BEFORE DELETE ON run FOR EACH ROW WHEN (NOT ({OVER})) EXECUTE FUNCTION run_refuse_delete();
"""
PARTS = "".join(
    f"""
CREATE FUNCTION {table}_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM {left}) THEN
        RAISE EXCEPTION '{table}: it goes with its run, not before' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_whole AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse_delete();
"""
    for table, left in KEPT.items()
)
UNDO = "".join(f"DROP FUNCTION {table}_refuse_delete() CASCADE;" for table in ("run", *KEPT))


class Migration(migrations.Migration):
    dependencies = [("workflows", "0014_epoch")]
    operations = [
        migrations.AlterModelOptions(
            name="run",
            options={
                "default_permissions": ["view"],
                "permissions": [
                    ("start_run", "Can start actions and workflows"),
                    ("retry_run", "Can retry failed runs"),
                    ("cancel_run", "Can cancel runs"),
                    ("suspend_run", "Can suspend and resume runs"),
                    ("skip_step", "Can skip steps"),
                    ("fire_timer", "Can end waits early"),
                    ("undo_run", "Can undo runs"),
                    ("answer_approval", "Can answer approvals"),
                    ("view_payload", "Can see sensitive fields"),
                    ("erase_run", "Can erase finished runs"),
                ],
            },
        ),
        migrations.AddField(
            model_name="schedulefire",
            name="ended_at",
            field=models.DateTimeField(help_text="When its run ended, once that is deleted.", null=True),
        ),
        migrations.RunSQL(RUN + PARTS, UNDO),
    ]
