"""Show what is masked in a run: only after it is recorded who looked, and why."""

import uuid

from actions.running import refuse_inside_handler
from audit.recording import record
from workflows.models import Run
from workflows.operations.missing import missing
from workflows.operations.together import in_one_transaction

PARTS = ("input", "output", "error", "context", "steps")


@in_one_transaction
def reveal(run_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """Record that somebody looks at the sensitive fields of a run; whoever calls this shows them afterwards.

    Secrets of connections are in no run, so they are not shown. Raises UnknownRun.
    """
    refuse_inside_handler("reveal a run")
    if not Run.objects.filter(pk=run_id).exists():
        raise missing(run_id)
    data = {"parts": list(PARTS)}
    record(chain=run_id, run=run_id, kind="run.revealed", actor=actor, reason=reason, data=data)
