"""Whether a call is the repetition of an earlier one: a `try` runs again what may have had its effect already.

The idempotency key of a call leaves the attempts of the tries around it out, so a charge that a retried `try` reaches
again is the same charge. After a definite refusal it is a new one. With another input, after an attempt whose outcome
nobody knows, it is neither: a person has to decide.
"""

import re
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from dotdo_site.lib import canonical
from workflows import payloads
from workflows.engine.frames import ATTEMPT
from workflows.engine.messages import CallFunction
from workflows.job import Job
from workflows.models import Step
from workflows.programs import ActionSpec

AGAIN = re.compile(r"@(?:[2-9]|[1-9][0-9]+)/try/")


@dataclass(frozen=True, slots=True)
class Repetition:
    """The generation of a call's effect, the fence that it has come to, and whether it must not go on by itself."""

    generation: int = 0
    error: dict[str, Any] | None = None
    claim: int = 0


FIRST = Repetition()


def repetition(job: Job, command: CallFunction, action: ActionSpec | None) -> Repetition:
    """Return how a call relates to the same call in earlier attempts of the tries around it."""
    if not AGAIN.search(command.key):
        return FIRST
    rows = Step.objects.filter(_same_place(command.key), run=job.held.run, ref=command.ref, kind="call")
    before = rows.exclude(key=command.key).order_by("-id").first()
    if before is None:
        return FIRST
    found = payloads.load(job.held.run, [before.input, before.error])
    error = payloads.resolve(before.error, found) or {}
    if before.state == "failed" and error.get("definite"):
        return Repetition(before.generation + 1, claim=before.claim)
    unknown = before.state == "failed" and action is not None and not action.transactional and action.effect != "pure"
    same = canonical.dumps(payloads.resolve(before.input, found)) == canonical.dumps(command.input)
    return Repetition(before.generation, _changed(before.key) if unknown and not same else None, before.claim)


def _same_place(key: str) -> Q:
    """Return what finds the same call in other attempts; in nested tries nobody knows how many the inner ones had."""
    found = list(ATTEMPT.finditer(key))
    if len(found) > 1:
        return Q(key__regex="^" + r"@[0-9]+/try/".join(map(re.escape, ATTEMPT.split(key))) + "$")
    start, end = found[0].span()
    return Q(key__in=[f"{key[:start]}@{number}/try/{key[end:]}" for number in range(1, _number(found[0]))])


def _number(attempt: re.Match[str]) -> int:
    return int(attempt[0].removeprefix("@").removesuffix("/try/"))


def _changed(key: str) -> dict[str, Any]:
    message = (
        f"The outcome of {key} is unknown, and this attempt would send other input under the same idempotency key. "
        "Look at the receiver: retry if nothing happened there, skip with the result if it did."
    )
    return {"code": "input_changed", "message": message, "retryable": False, "definite": True}
