"""How long the runs of a definition are kept after their end."""

from django.db import transaction

from actions.models import Action
from actions.problems import Problem
from actions.running import refuse_inside_handler
from audit.recording import record
from workflows.models import Workflow
from workflows.operations.errors import AnswerInvalid, UnknownDefinition

LONGEST_DAYS = 36_500


def keep_runs(kind: str, name: str, days: int | None, *, actor: str, reason: str) -> None:
    """Keep the runs of a workflow or action for so many days after their end; None: as the setting says.

    Raises UnknownDefinition, AnswerInvalid.
    """
    refuse_inside_handler("change how long runs are kept")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise AnswerInvalid("keep_days", [Problem("", "range", f"must be 1 to {LONGEST_DAYS}, or null")])
    model: type[Workflow] | type[Action] = Workflow if kind == "workflow" else Action
    with transaction.atomic():
        row = model.objects.select_for_update(no_key=True).filter(name=name).first()
        if row is None:
            raise UnknownDefinition(kind, name, [])
        was = row.keep_days
        model.objects.filter(pk=row.pk).update(keep_days=days)
        data = {"definition": f"{kind}:{name}", "from": was, "to": days}
        record(chain=row.pk, kind="retention.changed", actor=actor, reason=reason, data=data)
