"""What the entries of the datastore held before: a trigger keeps each version as it is written."""

from django.db import migrations, models

# Whoever writes says so in the setting `dotdo.writer`, for the transaction.
REMEMBER = """
CREATE FUNCTION entry_remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO entry_version (namespace, key, version, value, deleted, written_at, writer)
        VALUES (OLD.namespace, OLD.key, OLD.version, NULL, true, clock_timestamp(),
            coalesce(current_setting('dotdo.writer', true), ''));
    ELSE
        INSERT INTO entry_version (namespace, key, version, value, deleted, written_at, writer)
        VALUES (NEW.namespace, NEW.key, NEW.version, NEW.value, false, NEW.updated_at,
            coalesce(current_setting('dotdo.writer', true), ''));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entry_remembered AFTER INSERT OR UPDATE OR DELETE ON entry
    FOR EACH ROW EXECUTE FUNCTION entry_remember();
"""
FORGET = "DROP FUNCTION entry_remember() CASCADE;"


class Migration(migrations.Migration):
    dependencies = [("workflows", "0021_batches")]
    operations = [
        migrations.CreateModel(
            name="EntryVersion",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("namespace", models.CharField(max_length=63)),
                ("key", models.CharField(max_length=255)),
                ("version", models.BigIntegerField()),
                ("value", models.JSONField(null=True)),
                ("deleted", models.BooleanField(default=False)),
                ("written_at", models.DateTimeField()),
                (
                    "writer",
                    models.CharField(
                        blank=True, help_text="`run:` and its id, or an actor; empty: not said.", max_length=200
                    ),
                ),
            ],
            options={
                "db_table": "entry_version",
                "default_permissions": (),
                "indexes": [models.Index(fields=["namespace", "key", "id"], name="entry_version_of_entry")],
            },
        ),
        migrations.RunSQL(REMEMBER, FORGET),
    ]
