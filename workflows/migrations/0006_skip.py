"""A step that a worker holds may end as skipped: an operator gave its output by hand."""

from django.db import migrations

MOVES = (
    "ready>running", "ready>held", "ready>cancelled", "ready>skipped", "running>ready", "running>waiting",
    "running>held", "running>succeeded", "running>failed", "running>cancelled", "running>skipped", "waiting>ready",
    "waiting>held", "waiting>cancelled", "waiting>skipped", "held>ready", "held>waiting", "held>cancelled",
    "held>skipped", "failed>ready", "failed>cancelled", "failed>skipped",
)  # fmt: skip


def trigger(moves: tuple[str, ...]) -> str:
    legal = ", ".join(f"'{move}'" for move in moves)
    return f"""
DROP TRIGGER step_legal ON step;
CREATE TRIGGER step_legal BEFORE UPDATE ON step FOR EACH ROW
    WHEN ((OLD.state IN ('succeeded', 'cancelled', 'skipped'))
        OR (OLD.state <> NEW.state AND OLD.state || '>' || NEW.state <> ALL (ARRAY[{legal}]))
        OR NEW.claim < OLD.claim OR NEW.wake < OLD.wake OR NEW.attempt < OLD.attempt)
    EXECUTE FUNCTION state_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0005_open_approvals")]
    operations = [
        migrations.RunSQL(trigger(MOVES), trigger(tuple(move for move in MOVES if move != "running>skipped")))
    ]
