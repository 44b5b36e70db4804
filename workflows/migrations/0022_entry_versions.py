"""What the entries of the datastore held before: a trigger keeps each version as it is written."""

from django.db import migrations, models

# Whoever writes says so in the setting `dotdo.writer`, for the transaction. The function runs as the owner of the
# tables: workers of the release before write while `migrate` goes on, and the application role gets its grants at the
# end.
# A write in fifty, and each deletion, takes the oldest versions of the entry away, but for the newest hundred and those
# of the last day; it does not wait for somebody else who does so.
REMEMBER = """
CREATE FUNCTION entry_remember() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone boolean := TG_OP = 'DELETE';
    held record;
BEGIN
    IF gone THEN held := OLD; ELSE held := NEW; END IF;
    INSERT INTO public.entry_version (namespace, key, version, value, deleted, written_at, writer)
    VALUES (held.namespace, held.key, held.version, CASE WHEN gone THEN NULL ELSE held.value END, gone,
        CASE WHEN gone THEN clock_timestamp() ELSE held.updated_at END,
        coalesce(current_setting('dotdo.writer', true), ''));
    IF gone OR held.version % 50 = 0 THEN
        DELETE FROM public.entry_version WHERE id IN (
            SELECT past.id FROM public.entry_version past
            WHERE past.written_at < now() - interval '1 day' AND past.id IN (
                SELECT oldest.id FROM public.entry_version oldest
                WHERE oldest.namespace = held.namespace AND oldest.key = held.key AND oldest.id <= (
                    SELECT kept.id FROM public.entry_version kept
                    WHERE kept.namespace = held.namespace AND kept.key = held.key
                    ORDER BY kept.id DESC OFFSET 100 LIMIT 1)
                ORDER BY oldest.id LIMIT 200)
            FOR UPDATE SKIP LOCKED);
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
