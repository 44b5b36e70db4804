"""What runs, branches and steps may be and become, checked by functions that each session compiles once.

The server keeps CHECK constraints and WHEN clauses as text and reads them anew with each statement: with those that
stood on these tables, that was a fifth of its work for a step.
"""

from django.db import migrations, models

RUN_STATES = ("pending", "running", "waiting", "suspended", "failed", "succeeded", "cancelled")
RUN_MOVES = (
    "pending>running", "pending>waiting", "pending>suspended", "pending>failed", "pending>succeeded",
    "pending>cancelled", "running>waiting", "running>suspended", "running>failed", "running>succeeded",
    "running>cancelled", "waiting>running", "waiting>suspended", "waiting>failed", "waiting>succeeded",
    "waiting>cancelled", "suspended>running", "suspended>waiting", "suspended>failed", "suspended>cancelled",
    "failed>running", "failed>waiting", "failed>cancelled",
)  # fmt: skip
STEP_STATES = ("ready", "running", "waiting", "held", "succeeded", "failed", "cancelled", "skipped")
STEP_KINDS = ("start", "call", "wait", "task", "timer", "listen", "run", "join", "emit", "undo")
STEP_MOVES = (
    "ready>running", "ready>held", "ready>cancelled", "ready>skipped", "running>ready", "running>waiting",
    "running>held", "running>succeeded", "running>failed", "running>cancelled", "running>skipped", "waiting>ready",
    "waiting>held", "waiting>cancelled", "waiting>skipped", "held>ready", "held>waiting", "held>cancelled",
    "held>skipped", "failed>ready", "failed>cancelled", "failed>skipped",
)  # fmt: skip


def among(value: str, words: tuple[str, ...]) -> str:
    return f"{value} IN ({', '.join(repr(word) for word in words)})"


def moves(legal: tuple[str, ...]) -> str:
    move = "OLD.state || '>' || NEW.state"
    return f"OLD.state = NEW.state OR {among(move, legal)}"


# Conditions that hold for every row; for every change of one.
RUN = (
    "(NEW.state IN ('succeeded', 'cancelled')) = (NEW.finished_at IS NOT NULL)",
    "(NEW.kind = 'workflow') = (NEW.workflow_version_id IS NOT NULL)",
    "(NEW.kind = 'action') = (NEW.action_version_id IS NOT NULL)",
    among("NEW.kind", ("workflow", "action")),
    "NEW.priority BETWEEN 0 AND 4 AND NEW.parent_index >= 0 AND NEW.depth >= 0",
)
RUN_CHANGE = (
    "OLD.state NOT IN ('succeeded', 'cancelled')",
    moves(RUN_MOVES),
    "OLD.input IS NOT DISTINCT FROM NEW.input",
)
BRANCH = (among("NEW.state", ("open", "closed")), "NEW.index >= 0 AND NEW.audit_seq >= 0")
BRANCH_CHANGE = ("NEW.revision > OLD.revision", "NEW.audit_seq >= OLD.audit_seq")
STEP = (
    among("NEW.kind", STEP_KINDS),
    "(NEW.state = 'running') = (NEW.leased_by IS NOT NULL)",
    "(NEW.state = 'running') = (NEW.lease_expires_at IS NOT NULL)",
    "NEW.attempt >= 0 AND NEW.failures >= 0 AND NEW.crashes >= 0 AND NEW.generation >= 0",
)
STEP_CHANGE = (
    "OLD.state NOT IN ('succeeded', 'cancelled', 'skipped')",
    moves(STEP_MOVES),
    "NEW.claim >= OLD.claim AND NEW.wake >= OLD.wake AND NEW.attempt >= OLD.attempt",
)
HINT = "a state or kind that there is not, an illegal move, a change of a final row, a token that goes back, a lease "
HINT += "without a worker, or an end without its time"


def guard(name: str, table: str, when: str, conditions: tuple[str, ...]) -> str:
    """Return a function that refuses a row unless all conditions are true, and its trigger."""
    old = "OLD.state" if when == "UPDATE" else "'nothing'"
    return f"""
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ({") AND (".join(conditions)}) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '{table} %: % -> % refused', NEW.id, {old}, NEW.state
        USING ERRCODE = 'check_violation', HINT = '{HINT}';
END $$;
CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}();
"""


SQL = (
    "LOCK TABLE run, branch, step IN ACCESS EXCLUSIVE MODE;\n"
    "DROP TRIGGER run_legal ON run; DROP TRIGGER step_legal ON step; DROP TRIGGER branch_legal ON branch;\n"
    + guard("run_new", "run", "INSERT", (among("NEW.state", RUN_STATES), *RUN))
    + guard("run_legal", "run", "UPDATE", (*RUN_CHANGE, *RUN))
    + guard("branch_new", "branch", "INSERT", BRANCH)
    + guard("branch_legal", "branch", "UPDATE", (*BRANCH_CHANGE, *BRANCH))
    + guard("step_new", "step", "INSERT", (among("NEW.state", STEP_STATES), *STEP))
    + guard("step_legal", "step", "UPDATE", (*STEP_CHANGE, *STEP))
)
UNDO = f"""
DROP FUNCTION run_new() CASCADE; DROP FUNCTION run_legal() CASCADE; DROP FUNCTION branch_new() CASCADE;
DROP FUNCTION branch_legal() CASCADE; DROP FUNCTION step_new() CASCADE; DROP FUNCTION step_legal() CASCADE;
CREATE TRIGGER run_legal BEFORE UPDATE ON run FOR EACH ROW WHEN (NOT (({") AND (".join(RUN_CHANGE)})))
    EXECUTE FUNCTION state_refuse();
CREATE TRIGGER branch_legal BEFORE UPDATE ON branch FOR EACH ROW WHEN (NOT (({") AND (".join(BRANCH_CHANGE)})))
    EXECUTE FUNCTION state_refuse();
CREATE TRIGGER step_legal BEFORE UPDATE ON step FOR EACH ROW WHEN (NOT (({") AND (".join(STEP_CHANGE)})))
    EXECUTE FUNCTION state_refuse();
"""


def altered(model: str, name: str, kind: type[models.Field], **options: object) -> migrations.AlterField:  # type: ignore[type-arg]
    return migrations.AlterField(model_name=model, name=name, field=kind(**options))


class Migration(migrations.Migration):
    dependencies = [("workflows", "0028_step_indexes")]
    operations = [
        migrations.RunSQL(SQL, UNDO),
        migrations.RemoveConstraint("run", "run_state"),
        migrations.RemoveConstraint("run", "run_priority"),
        migrations.RemoveConstraint("run", "run_one_definition"),
        migrations.RemoveConstraint("run", "run_finished_at"),
        altered("run", "parent_index", models.IntegerField, default=0, help_text="Which of the children of that step."),
        altered("run", "depth", models.SmallIntegerField, default=0, help_text="How many runs are above this one."),
        migrations.RemoveConstraint("branch", "branch_state"),
        altered("branch", "index", models.SmallIntegerField, default=0),
        altered("branch", "audit_seq", models.IntegerField, default=0),
        migrations.RemoveConstraint("step", "step_state"),
        migrations.RemoveConstraint("step", "step_kind"),
        migrations.RemoveConstraint("step", "step_lease"),
        altered("step", "attempt", models.IntegerField, default=0, help_text="Attempts that have ended."),
        altered(
            "step",
            "failures",
            models.IntegerField,
            default=0,
            help_text="Failed attempts since the last retry by a person.",
        ),
        altered("step", "crashes", models.IntegerField, default=0),
        altered("step", "generation", models.IntegerField, default=0, help_text="Part of the effect key."),
    ]
