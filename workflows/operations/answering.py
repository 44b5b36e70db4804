"""A person answers an approval. The first answer counts."""

import uuid
from typing import Any

from django.db.models.functions import Now

from actions import schemas
from actions.limits import check_value
from actions.problems import Problem
from actions.running import refuse_inside_handler
from audit import recording as audit
from dotdo_site.lib import canonical
from workflows import approvals, payloads, rules, wake
from workflows.approvals import Person
from workflows.models import Message, Step
from workflows.operations.errors import AnswerInvalid, NotAllowed, UnknownStep, refuse
from workflows.operations.lookup import near_keys
from workflows.operations.together import in_one_transaction


@in_one_transaction
def answer_approval(
    run_id: uuid.UUID, key: str, decision: str, data: Any = None, *, person: Person, actor: str, reason: str = ""
) -> None:
    """Answer the approval that a step asks for; `data` fits its form. A rejection may leave the form empty.

    Raises UnknownStep, NotAllowed, AnswerInvalid.
    """
    refuse_inside_handler("answer an approval")
    step = _locked(run_id, key)
    refuse(rules.answer_refusal(step.run.state, step.kind, step.state, step.function))
    _first(step)
    asked = payloads.resolve(step.input, payloads.load(run_id, [step.input]))
    _asked(asked, person)
    _check(asked, decision, data)
    answer = {"decision": decision, "by": person.name, "data": data}
    Message.objects.create(run_id=run_id, step=step, kind="answer", data=answer, created_at=Now())
    facts = {"step": key, "name": step.name, "decision": decision, "data": canonical.digest(data)}
    audit.record(
        chain=step.id,
        run=run_id,
        kind="approval.answered",
        actor=actor,
        reason=reason,
        data=facts | {"by": person.name},
    )
    wake.step(step.id)


def _locked(run_id: uuid.UUID, key: str) -> Step:
    """Lock the step alone, and wait for whoever looks at it: they may be waiting for its run, which is left alone."""
    steps = Step.objects.select_for_update(no_key=True, of=("self",)).select_related("run")
    step = steps.filter(run=run_id, key=key).first()
    if step is None:
        raise UnknownStep(run_id, key, near_keys(run_id, key))
    return step


def _first(step: Step) -> None:
    answer = Message.objects.filter(step=step, kind="answer", consumed_at__isnull=True).first()
    if answer is not None:
        raise NotAllowed(f"This was already answered by {(answer.data or {}).get('by', 'somebody')}.")


def _asked(asked: Any, person: Person) -> None:
    if not approvals.may_answer(asked, person):
        users, groups = approvals.assignees(asked)
        wanted = [*users, *(f"the group {name}" for name in groups)]
        raise NotAllowed(f"{person.name} is not asked; {', '.join(wanted)} may answer.")


def _check(asked: Any, decision: str, data: Any) -> None:
    if decision not in approvals.DECISIONS:
        raise AnswerInvalid("decision", [Problem("", "enum", f"must be one of {', '.join(approvals.DECISIONS)}")])
    problems = check_value(data)
    if not problems and (decision == "approved" or data):
        problems = schemas.problems(_form(asked), {} if data is None else data)
    if problems:
        raise AnswerInvalid("data", problems)


def _form(asked: Any) -> dict[str, Any]:
    try:
        return approvals.form(asked)
    except approvals.FormInvalid as error:
        raise NotAllowed(f"What this approval asks for cannot be filled in: {error}") from None
