"""What is to be undone next: recorded compensations of a scope, the last one first (`models/undo.py`)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Q

from workflows import late, payloads
from workflows.checkpoint import UndoWrite
from workflows.engine.messages import Advance, Done, PushUndo, Undo
from workflows.job import Job
from workflows.models import Branch, Step
from workflows.models import Undo as Recorded
from workflows.programs import action_by_id, action_called, is_builtin
from workflows.states import STEP_OPEN


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be undone next in a scope; `pending` was about to be recorded when that was looked up."""

    scope: str
    pending: tuple[PushUndo, ...]
    entry: "Entry | None"


@dataclass(frozen=True, slots=True)
class Entry:
    """A compensation that is due. `id` is None while it is recorded by the very checkpoint that begins it.

    `begun` counts the steps that were to undo the same and were cut off: the next one is the same effect, and its fence
    goes on from theirs (`claim`).
    """

    id: int | None
    place: str
    key: str
    ref: str
    name: str
    function: str
    action_version: uuid.UUID | None
    input: Any
    begun: int = 0
    claim: int = 0


def settled(job: Job, result: Advance) -> Advance:
    """Go on behind an Undo that has nothing, or nothing more, to do."""
    while isinstance(result.command, Undo) and choose(job, result.command.scope, result.undo) is None:
        done = Done(result.command.key, {"undone": undone(job, result.command.scope, result.cursor)})
        result = merged(result, job.advance(done, result))
    return result


def choose(job: Job, scope: str, pending: Sequence[PushUndo] = ()) -> Entry | None:
    """Return the compensation of a scope that comes next; the checkpoint finds out whether that still stands."""
    entry = next_entry(job, scope, pending)
    job.chosen.append(Chosen(scope, tuple(pending), entry))
    return entry


def stands(job: Job) -> bool:
    """Tell whether what was chosen is still what comes next: other branches may have done, or undone, more meanwhile.

    In the transaction that has locked the run and its open branches.
    """
    return all(next_entry(job, chosen.scope, chosen.pending) == chosen.entry for chosen in job.chosen)


def next_entry(job: Job, scope: str, pending: Sequence[PushUndo] = ()) -> Entry | None:
    """Return the compensation of a scope that comes next; those that are about to be recorded are the newest."""
    for push in reversed(pending):
        if _inside(push.place, scope):
            return _pending(push)
    replaced = [push.place for push in pending]
    rows = Recorded.objects.filter(_where(scope), run=job.held.run).exclude(place__in=replaced)
    cut = Q(state="running") & (Q(step__state="cancelled") | _below(job))
    row = rows.filter(Q(state="recorded") | cut).order_by("-id").first()
    if row is None:
        return None
    value = payloads.resolve(row.input, payloads.load(job.held.run, [row.input]))
    begun, claim = _begun(row)
    return Entry(
        row.id, row.place, row.key, row.ref, row.name, row.function, row.action_version_id, value, begun, claim
    )


def beside(job: Job) -> list[str]:
    """Return the keys of the other steps that undo in this branch and have not ended."""
    steps = Step.objects.filter(branch=job.held.branch, kind="undo", state__in=STEP_OPEN).exclude(pk=job.held.step)
    return list(steps.exclude(caught=True).values_list("key", flat=True))


def undone(job: Job, scope: str, cursor: Mapping[str, Any]) -> int:
    """Return how many compensations of a scope were done since the task was entered that undoes: not those before."""
    entered = datetime.fromisoformat(cursor["frames"][-1]["at"])
    done = Recorded.objects.filter(_where(scope), run=job.held.run, state="done", step__created_at__gte=entered)
    return done.count()


def record(push: PushUndo, step: uuid.UUID | None = None) -> UndoWrite:
    """Return the row of a compensation."""
    action = None if is_builtin(push.function) else action_called(push.function, push.version).id
    function = f"{push.function}:{push.version}"
    return UndoWrite(
        place=push.place,
        key=push.key,
        ref=push.ref,
        name=push.name,
        function=function,
        action_version=action,
        input=push.input,
        step=step,
    )


def queue(action_version: uuid.UUID | None) -> str:
    """Return the queue of the action that undoes; "" where it has none."""
    action = None if action_version is None else action_by_id(action_version)
    return action.queue if action else ""


def merged(before: Advance, after: Advance) -> Advance:
    """Return two advances that belong to one checkpoint as one."""
    armed = {timer.key for timer in before.armed}
    return replace(
        after,
        trace=before.trace + after.trace,
        armed=[timer for timer in before.armed if timer.key not in after.dropped] + after.armed,
        dropped=before.dropped + [key for key in after.dropped if key not in armed],
        cut=before.cut + after.cut,
        undo=before.undo + after.undo,
    )


def _pending(push: PushUndo) -> Entry:
    row = record(push)
    return Entry(None, row.place, row.key, row.ref, row.name, row.function, row.action_version, row.input)


def _begun(row: Recorded) -> tuple[int, int]:
    """Return how many steps were to undo a call and were cut off, and the highest claim; a late one counts for that."""
    late_one = Q(key=f"{row.key}{late.MARK}")
    found = late_one | Q(key__startswith=f"{row.key}#undo") if row.state == "running" else late_one
    claims = dict(Step.objects.filter(found, run=row.run_id, kind="undo").values_list("key", "claim"))
    return sum(not late.is_late(key) for key in claims), max(claims.values(), default=0)


def _below(job: Job) -> Q:
    """Return what is being undone in branches of this branch's fork: it is left, so the undoing is taken up again."""
    frame = Branch.objects.values_list("frame", flat=True).get(pk=job.held.branch)
    return Q(step__branch__frame__startswith=f"{frame}/") if frame else Q(step__branch__parent__isnull=False)


def _inside(place: str, scope: str) -> bool:
    return not scope or place.startswith((scope + "/", scope + "@"))


def _where(scope: str) -> Q:
    return Q(place__startswith=scope + "/") | Q(place__startswith=scope + "@") if scope else Q()
