"""What the database itself refuses: illegal moves, changes of final rows, tokens that go back, changed versions.

The conditions stand in the triggers' WHEN clauses, so a legal write never calls a function.
"""

from django.db import migrations

RUN_MOVES = (
    "pending>running", "pending>waiting", "pending>suspended", "pending>failed", "pending>succeeded",
    "pending>cancelled", "running>waiting", "running>suspended", "running>failed", "running>succeeded",
    "running>cancelled", "waiting>running", "waiting>suspended", "waiting>failed", "waiting>succeeded",
    "waiting>cancelled", "suspended>running", "suspended>waiting", "suspended>failed", "suspended>cancelled",
    "failed>running", "failed>waiting", "failed>cancelled",
)  # fmt: skip
STEP_MOVES = (
    "ready>running", "ready>held", "ready>cancelled", "ready>skipped", "running>ready", "running>waiting",
    "running>held", "running>succeeded", "running>failed", "running>cancelled", "waiting>ready", "waiting>held",
    "waiting>cancelled", "waiting>skipped", "held>ready", "held>waiting", "held>cancelled", "held>skipped",
    "failed>ready", "failed>cancelled", "failed>skipped",
)  # fmt: skip


def illegal(moves: tuple[str, ...]) -> str:
    legal = ", ".join(f"'{move}'" for move in moves)
    return f"OLD.state <> NEW.state AND OLD.state || '>' || NEW.state <> ALL (ARRAY[{legal}])"


SQL = f"""
CREATE FUNCTION state_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% %: % -> % refused', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state
        USING ERRCODE = 'check_violation', HINT = 'illegal move, change of a final row, or a token that goes back';
END $$;
CREATE FUNCTION attempt_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'attempts are never changed' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER run_legal BEFORE UPDATE ON run FOR EACH ROW
    WHEN ((OLD.state IN ('succeeded', 'cancelled')) OR ({illegal(RUN_MOVES)}) OR OLD.input IS DISTINCT FROM NEW.input)
    EXECUTE FUNCTION state_refuse();
CREATE TRIGGER step_legal BEFORE UPDATE ON step FOR EACH ROW
    WHEN ((OLD.state IN ('succeeded', 'cancelled', 'skipped')) OR ({illegal(STEP_MOVES)})
        OR NEW.claim < OLD.claim OR NEW.wake < OLD.wake OR NEW.attempt < OLD.attempt)
    EXECUTE FUNCTION state_refuse();
CREATE TRIGGER branch_legal BEFORE UPDATE ON branch FOR EACH ROW
    WHEN (NEW.revision <= OLD.revision OR NEW.audit_seq < OLD.audit_seq) EXECUTE FUNCTION state_refuse();
CREATE TRIGGER attempt_kept BEFORE UPDATE ON attempt FOR EACH ROW EXECUTE FUNCTION attempt_refuse();
CREATE TRIGGER workflow_version_immutable BEFORE UPDATE ON workflow_version FOR EACH ROW
    WHEN (OLD.state <> 'draft' AND (NEW.state = 'draft' OR
        (to_jsonb(OLD) - 'state') IS DISTINCT FROM (to_jsonb(NEW) - 'state')))
    EXECUTE FUNCTION published_refuse();
CREATE TRIGGER workflow_version_kept BEFORE DELETE ON workflow_version FOR EACH ROW
    WHEN (OLD.state <> 'draft') EXECUTE FUNCTION published_refuse();
-- Small hot rows: leave room for in-page updates, and let autovacuum come early.
ALTER TABLE run SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE branch SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE step SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
"""  # noqa: S608 - constants
UNDO = """
DROP TRIGGER run_legal ON run; DROP TRIGGER step_legal ON step; DROP TRIGGER branch_legal ON branch;
DROP TRIGGER attempt_kept ON attempt; DROP TRIGGER workflow_version_immutable ON workflow_version;
DROP TRIGGER workflow_version_kept ON workflow_version;
DROP FUNCTION state_refuse(); DROP FUNCTION attempt_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial"), ("actions", "0002_immutable_versions")]
    operations = [migrations.RunSQL(SQL, UNDO)]
