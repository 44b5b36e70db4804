"""What the in-memory driver's calls come to: answers of a table, real requests, the ends of child runs."""

from datetime import timedelta
from typing import Any

from actions.context import Context
from actions.errors import ActionError, Failure, from_exception
from actions.invoke import invoke
from tests.support.answers import TABLE, given, task_name
from tests.support.pure_rows import PureRun
from workflows.engine import messages as m
from workflows.programs import call_spec

# how long a call takes, its output, its failure
Answered = tuple[timedelta, Any, Failure | None]


def from_table(command: m.CallFunction) -> Answered:
    """Answer a call of one of the table's actions."""
    found = TABLE.next(task_name(command.key), command.input)
    takes = timedelta(seconds=found.get("takes", 0))
    try:
        return takes, given(found), None
    except ActionError as error:
        return takes, None, from_exception(error)


def really_called(run: PureRun, command: m.CallFunction) -> Answered:
    """Execute `call: http` or `call: openapi` with the real handler."""
    context = Context(run.id, command.key, 1, f"{run.id}:{command.key}:0", 1, secret_names=run.program.secrets)
    outcome = invoke(call_spec(command.function), command.input, context)
    return timedelta(0), outcome.output, outcome.failure


def end_of_child(command: m.StartRun, child: PureRun) -> m.Message:
    """Return how a child's end looks to its parent (R17)."""
    if child.state == "succeeded":
        return m.Done(command.key, child.output)
    detail = f"{child.error.get('detail', '')} (run {child.id})".strip()
    return m.Failed(command.key, {**child.error, "instance": command.ref, "detail": detail})
