"""Give failed calls another input before they are tried again.

The steps keep it, so no worker evaluates it anew; each attempt keeps the input that it had. Another input is another
effect: its idempotency key changes, and where nobody knows whether the last attempt had its effect, somebody has to
have looked.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from actions import schemas
from actions.limits import check_value
from actions.problems import Problem
from dotdo_site.lib import canonical
from workflows import hidden, payloads, rules
from workflows.models import Run, Step
from workflows.operations import keyed
from workflows.operations.errors import AnswerInvalid, NotAllowed, UnknownRun, UnknownStep, refuse
from workflows.operations.lookup import near_keys
from workflows.payloads import Packer, store

UNCHANGED: Any = object()


@dataclass(frozen=True, slots=True)
class Edit:
    """What a step is given: `old` and `new` as they are meant, `before` and `after` as people see them."""

    step: Step
    old: Any
    new: Any
    before: Any
    after: Any
    problems: list[Problem]
    unsure: bool

    @property
    def changed(self) -> bool:
        """Tell whether it is another input, as far as people may know: what is typed over a mask is another value."""
        return canonical.dumps(self.before) != canonical.dumps(self.after)


@dataclass(frozen=True, slots=True)
class Checked:
    """An input that was looked at, and not used: what is wrong with it, and both as people see them.

    `unsure`: nobody knows whether the last attempt had its effect. `changed`: it is another input. `carries`: and a
    hidden value would go with it into an action that has an effect, so that it could be sent to another receiver.
    """

    schema: dict[str, Any]
    problems: list[Problem]
    before: Any
    after: Any
    unsure: bool
    changed: bool
    carries: bool


def check_edit(run_id: uuid.UUID, key: str, given: Any = UNCHANGED) -> Checked:
    """Return what an edited input comes to, without using it. Raises UnknownRun, UnknownStep, NotAllowed."""
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        raise UnknownRun(run_id)
    edit = _edit(run, key, given)
    version = edit.step.action_version
    carries = edit.changed and hidden.holds(given) and (version is None or version.effect != "pure")
    return Checked(_schema(edit.step), edit.problems, edit.before, edit.after, edit.unsure, edit.changed, carries)


def edit(run: Run, edits: Mapping[str, Any], *, confirmed: bool) -> dict[str, dict[str, Any]]:
    """Give steps of a run that is locked the inputs by key; return what to record of those that changed.

    Raises UnknownStep, NotAllowed, AnswerInvalid with the problems of all.
    """
    found = [_edit(run, key, given) for key, given in edits.items()]
    several = len(found) > 1
    problems = [problem.under(one.step.key) if several else problem for one in found for problem in one.problems]
    if problems:
        raise AnswerInvalid("input", problems)
    changed = [one for one in found if one.changed]
    if unsure := [one.step.name for one in changed if one.unsure and not confirmed]:
        raise NotAllowed(_(rules.UNSURE).format(name=", ".join(unsure)))
    return {one.step.key: _write(run, one) for one in changed}


def _edit(run: Run, key: str, given: Any) -> Edit:
    step = Step.objects.filter(run=run, key=key).select_related("action_version").first()
    if step is None:
        raise UnknownStep(run.pk, key, near_keys(run.pk, key))
    known = step.action_version_id is not None
    refuse(
        rules.edit_refusal(
            run.state, run.resolved_at, run.reason, kind=step.kind, state=step.state, caught=step.caught, known=known
        )
    )
    found = payloads.load(run.pk, [step.input, step.error])
    old, error = payloads.resolve(step.input, found), payloads.resolve(step.error, found)
    schema = _schema(step)
    given = hidden.shown(schema, old) if given is UNCHANGED else given
    new, problems = hidden.restored(schema, given, old)
    before, after = hidden.compared(schema, old, new, given)
    return Edit(step, old, new, before, after, problems or _problems(schema, new), unsure(step, error))


def unsure(step: Step, error: Mapping[str, Any] | None) -> bool:
    """Tell whether nobody knows if the last attempt of a call had its effect."""
    version = step.action_version
    if version is None or version.transactional or version.effect == "pure":
        return False
    return not (error or {}).get("definite") or (error or {}).get("code") == "input_changed"


def _problems(schema: Any, value: Any) -> list[Problem]:
    return check_value(value) or hidden.visible_problems(schemas.problems(schema, value), value)


def _schema(step: Step) -> Any:
    return step.action_version.input_schema if step.action_version else {}


def _write(run: Run, edit: Edit) -> dict[str, Any]:
    packer = Packer(run.pk)
    text = packer.pack(edit.new)
    store(run.pk, packer)
    Step.objects.filter(pk=edit.step.pk).update(input=json.loads(text))
    salt = f"edited.{run.pk}"  # who knows all but a short hidden field finds that in a plain digest
    return {"was": keyed.digest(salt, edit.old), "now": keyed.digest(salt, edit.new)}
