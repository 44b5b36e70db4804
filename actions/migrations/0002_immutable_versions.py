"""A published version is what runs are pinned to: only its state may still change, and never back to draft."""

from django.db import migrations

SQL = """
CREATE FUNCTION published_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a published version never changes: make a new version' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER action_version_immutable BEFORE UPDATE ON action_version FOR EACH ROW
    WHEN (OLD.state <> 'draft' AND (NEW.state = 'draft' OR
        (to_jsonb(OLD) - 'state') IS DISTINCT FROM (to_jsonb(NEW) - 'state')))
    EXECUTE FUNCTION published_refuse();
CREATE TRIGGER action_version_kept BEFORE DELETE ON action_version FOR EACH ROW
    WHEN (OLD.state <> 'draft') EXECUTE FUNCTION published_refuse();
"""
UNDO = "DROP FUNCTION published_refuse() CASCADE;"


class Migration(migrations.Migration):
    dependencies = [("actions", "0001_initial")]
    operations = [migrations.RunSQL(SQL, UNDO)]
