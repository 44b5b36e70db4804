"""Run a definition again as it is now, with the input that a run had."""

import uuid
from typing import Any

from actions.running import refuse_inside_handler
from audit.recording import record
from workflows import hidden, payloads, rules
from workflows.models import Run
from workflows.operations.editing import UNCHANGED
from workflows.operations.errors import InputInvalid, refuse
from workflows.operations.missing import missing
from workflows.operations.new_runs import Origin
from workflows.operations.start import Started, start_action, start_workflow
from workflows.operations.together import in_one_transaction

LONGEST_TITLE = 200
START = {"workflow": start_workflow, "action": start_action}


@in_one_transaction
def run_again(
    run_id: uuid.UUID,
    *,
    actor: str,
    reason: str,
    input: Any = UNCHANGED,  # noqa: A002 - the word for it
    key: str = "",
) -> Started:
    """Start a run of the same definition, in the version that is published now, with the same input, title and tags.

    `input` replaces it; what is hidden in it is taken from the first run. Asked twice with one `key` it is one run.
    Raises UnknownRun, UnknownDefinition, NotAllowed, InputInvalid, KeyConflict.
    """
    refuse_inside_handler("run again")
    run = Run.objects.select_related("workflow_version", "action_version").filter(pk=run_id).first()
    if run is None:
        raise missing(run_id)
    refuse(rules.again_refusal(run.state))
    started = START[run.kind](
        run.name,
        _input(run, input),
        actor=actor,
        trigger="again",
        key=key or None,
        title=run.title or run.key[:LONGEST_TITLE] or run.name,
        tags=run.tags,
        origin=Origin(rerun_of=run.pk),
    )
    if started.created:
        data = {"run": str(started.run_id), "edited": input is not UNCHANGED}
        record(chain=run.pk, run=run.pk, kind="run.run_again", actor=actor, reason=reason, data=data)
        about = {"rerun_of": str(run.pk)}
        record(chain=started.run_id, run=started.run_id, kind="run.repeats", actor=actor, reason=reason, data=about)
    return started


def _input(run: Run, given: Any) -> Any:
    stored = payloads.resolve(run.input, payloads.load(run.pk, [run.input]))
    if given is UNCHANGED:
        return stored
    definition = run.workflow_version or run.action_version
    value, problems = hidden.restored(definition.input_schema if definition else {}, given, stored)
    if problems:
        raise InputInvalid(problems)
    return value
