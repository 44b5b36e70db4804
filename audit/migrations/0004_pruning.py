"""Seals, their heads and tombstones only grow, and one function may delete links: it leaves a tombstone first.

`audit_prune` runs as its owner, so that the application needs no right to delete. It takes only whole chains, whose last
link is sealed and old enough, and every link of which belongs to a run or an event that is gone. The trigger lets a link
go only inside that function and behind its tombstone.
"""

from django.db import migrations

SQL = """
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_event' THEN
        IF current_setting('dotdo.pruning', true) = 'on'
            AND EXISTS (SELECT FROM public.audit_tombstone t WHERE t.chain = OLD.chain AND t.seq >= OLD.seq)
        THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_seal_no_truncate BEFORE TRUNCATE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_sealed_head_append_only BEFORE UPDATE OR DELETE ON audit_sealed_head
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_sealed_head_no_truncate BEFORE TRUNCATE ON audit_sealed_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_tombstone_append_only BEFORE UPDATE OR DELETE ON audit_tombstone
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_tombstone_no_truncate BEFORE TRUNCATE ON audit_tombstone
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE FUNCTION audit_prune(chains uuid[], before timestamptz, number uuid, kept text)
RETURNS SETOF public.audit_tombstone LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO public.audit_tombstone (chain, seq, hash, first_at, last_at, at, batch, export)
    SELECT whole.chain, whole.seq, head.hash, whole.first_at, whole.last_at, clock_timestamp(), $3, $4
    FROM (
        SELECT e.chain, max(e.seq) AS seq, min(e.at) AS first_at, max(e.at) AS last_at
        FROM public.audit_event e WHERE e.chain = ANY($1)
        GROUP BY e.chain
        HAVING max(e.at) < least($2, now()) AND count(*) = max(e.seq) + 1 AND bool_and(CASE
            WHEN e.run IS NOT NULL THEN NOT EXISTS (SELECT FROM public.run r WHERE r.id = e.run)
            ELSE e.kind = 'event.received' AND NOT EXISTS (SELECT FROM public.event i WHERE i.id = e.chain) END)
    ) whole JOIN public.audit_sealed_head head ON head.chain = whole.chain AND head.seq = whole.seq
        JOIN public.audit_event last ON last.chain = whole.chain AND last.seq = whole.seq AND last.hash = head.hash;
    PERFORM set_config('dotdo.pruning', 'on', true);
    DELETE FROM public.audit_event e USING public.audit_tombstone t WHERE t.batch = $3 AND e.chain = t.chain;
    PERFORM set_config('dotdo.pruning', '', true);
    RETURN QUERY SELECT t.* FROM public.audit_tombstone t WHERE t.batch = $3 ORDER BY t.chain;
END $$;
REVOKE ALL ON FUNCTION audit_prune(uuid[], timestamptz, uuid, text) FROM PUBLIC;
"""
UNDO = """
DROP FUNCTION audit_prune(uuid[], timestamptz, uuid, text);
DROP TRIGGER audit_tombstone_no_truncate ON audit_tombstone;
DROP TRIGGER audit_tombstone_append_only ON audit_tombstone;
DROP TRIGGER audit_sealed_head_no_truncate ON audit_sealed_head;
DROP TRIGGER audit_sealed_head_append_only ON audit_sealed_head;
DROP TRIGGER audit_seal_no_truncate ON audit_seal;
DROP TRIGGER audit_seal_append_only ON audit_seal;
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_seals")]
    operations = [migrations.RunSQL(SQL, UNDO)]
