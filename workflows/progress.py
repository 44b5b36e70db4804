"""What a checkpoint is to write, decided from what happened to the held step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actions.errors import Failure
from workflows import compensating, following, payloads, trail
from workflows.checkpoint import UNCHANGED, AttemptWrite, Closed, NextStep, Progress, RunWrite, StepWrite
from workflows.engine.messages import Advance, BranchDone, Complete, Park
from workflows.failures import fault_error, language_error
from workflows.following import Following
from workflows.functions.rest import Rest
from workflows.job import Job, action_at
from workflows.lessee import Happened, Lessee

BACK_OFF, BLOCKED, UNDOING = "back_off", "blocked", "undoing"
DEAD_LETTER, TIMED_OUT, POISONED, UNDO_FAILED = "dead_letter", "timed_out", "poisoned", "undo_failed"
QUARANTINED = "quarantined"
REASONS = {"timeout": TIMED_OUT, "engine_error": QUARANTINED}


@dataclass(frozen=True, slots=True)
class Left:
    """A fault that leaves the branch, because something around its fork takes it."""

    error: dict[str, Any]
    closed: Closed


def succeeded(job: Job, happened: Happened, result: Advance, lessee: Lessee, *, left: Left | None = None) -> Progress:
    """The held step is done and the engine said what follows."""
    step = step_write(job, "succeeded", output=happened.output, attempt=job.held.attempt + 1)
    data = trail.step_data(job)
    data["output"] = payloads.digest_of(happened.output)
    attempt = attempt_write(job, "succeeded", happened, lessee) if happened.log else None
    return moved_on(job, step, "step.succeeded", data, result, lessee, attempt=attempt, left=left)


def skipped(
    job: Job, output: Any, messages: Sequence[int], result: Advance, lessee: Lessee, *, left: Left | None = None
) -> Progress:
    """A person gave the output by hand, and the engine said what follows."""
    step = step_write(job, "skipped", output=output, attempt=job.held.attempt)
    data = trail.step_data(job) | {"output": payloads.digest_of(output), "skipped": True}
    progress = moved_on(job, step, "step.succeeded", data, result, lessee, left=left)
    progress.messages = messages
    return progress


def caught(job: Job, happened: Happened, result: Advance, lessee: Lessee, *, left: Left | None = None) -> Progress:
    """The step failed for good and the workflow goes on: a `try` took it, or the fork around its branch."""
    failure = _failure(happened)
    step = step_write(job, "failed", error=failure.as_dict(), attempt=job.held.attempt + 1)
    step.failures, step.caught = job.held.failures + 1, True
    data = trail.step_data(job) | trail.failure_data(failure) | {"caught": True}
    attempt = attempt_write(job, outcome_of(failure), happened, lessee)
    return moved_on(job, step, "step.failed", data, result, lessee, attempt=attempt, left=left)


def begun(job: Job, result: Advance, lessee: Lessee, *, left: Left | None = None) -> Progress:
    """A start step turns into what the engine said comes first, when that is not a call to execute at once."""
    found = following.following(job, result, lessee, job.held.step)
    lead = found.lead
    if lead is None:
        step = step_write(job, "succeeded", attempt=job.held.attempt + 1)
        return moved_on(job, step, "step.succeeded", trail.step_data(job), result, lessee, found=found, left=left)
    _adopt(job, lead)
    state = "failed" if lead.error else "ready" if lead.worker else lead.state
    step = step_write(job, state, error=lead.error, attempt=job.held.attempt + bool(lead.error))
    step.due_at, step.queue, step.generation = lead.due_at, lead.queue, lead.generation
    kind = "step.failed" if lead.error else "run.waiting"
    found.lead = None
    data = trail.step_data(job)
    return moved_on(job, step, kind, data, result, lessee, found=found, named=lead)


def retrying(job: Job, happened: Happened, delay_seconds: float, lessee: Lessee) -> Progress:
    """The attempt failed; the same step is due again after the back-off."""
    failure = _failure(happened)
    step = step_write(job, _pause_state(job), error=failure.as_dict(), attempt=job.held.attempt + 1)
    step.failures, step.delay_seconds = job.held.failures + 1, delay_seconds
    data = trail.step_data(job) | trail.failure_data(failure) | {"retry_in": round(delay_seconds, 3)}
    attempt = attempt_write(job, outcome_of(failure), happened, lessee)
    return _rested(job, step, BACK_OFF, [("step.retrying", data)], lessee, attempt)


def parked(job: Job, happened: Happened, park: Park, reason: str, lessee: Lessee) -> Progress:
    """The step failed for good and nobody caught it: the run waits for a person, its cursor as it was."""
    failure = _failure(happened)
    step = step_write(job, "failed", error=failure.as_dict(), attempt=job.held.attempt + 1)
    step.failures = job.held.failures + 1
    return _parked(
        job, step, failure, reason, park.error, lessee, attempt_write(job, outcome_of(failure), happened, lessee)
    )


def poisoned(job: Job, failure: Failure, lessee: Lessee) -> Progress:
    """The step took its workers down too often: it is not tried again without a person."""
    step = step_write(job, "failed", error=failure.as_dict(), attempt=job.held.attempt)
    return _parked(job, step, failure, POISONED, language_error(failure, job.ref), lessee, None)


def faulted_again(job: Job, park: Park, lessee: Lessee) -> Progress:
    """A retried task faulted once more, in the same place."""
    error = fault_error(park.error)
    step = step_write(job, "failed", error=error, attempt=job.held.attempt + 1)
    step.failures = job.held.failures + 1
    failure = Failure(error["code"], error["message"], retryable=False)
    return _parked(job, step, failure, DEAD_LETTER, park.error, lessee, None)


def blocked(job: Job, delay_seconds: float, lessee: Lessee) -> Progress:
    """No worker here knows the handler: the step waits, untouched, for one that does. The audit trail says it once."""
    step = step_write(job, _pause_state(job), attempt=job.held.attempt)
    step.delay_seconds = delay_seconds
    events = [] if job.held.rest == BLOCKED else [("run.blocked", trail.step_data(job))]
    return _rested(job, step, BLOCKED, events, lessee, None)


def postponed(job: Job, state: str, delay_seconds: float) -> Progress:
    """The step can do nothing yet; it is tried again later, and nothing happened."""
    step = step_write(job, state, attempt=job.held.attempt)
    step.delay_seconds = delay_seconds
    return Progress(step=step, cursor=job.cursor, links=[], rest=job.held.rest)


def resting(job: Job, rest: Rest, lessee: Lessee) -> Progress:
    """The step waits for a person, a child or a moment; it is looked at again when it is woken."""
    state = "held" if job.held.stopped else "waiting" if rest.due_at is None else "ready"
    step = step_write(job, state, attempt=job.held.attempt)
    step.due_at = rest.due_at
    events = [] if job.held.rest == rest.reason else [("run.waiting", trail.step_data(job) | {"for": rest.reason})]
    return _rested(job, step, rest.reason, events, lessee, None)


def listening(job: Job, result: Advance, messages: Sequence[int], lessee: Lessee) -> Progress:
    """The listen has looked at what was delivered and waits for more, perhaps while a body runs."""
    step = step_write(job, "held" if job.held.stopped else "waiting", attempt=job.held.attempt)
    data = trail.step_data(job) | {"messages": len(messages)}
    progress = moved_on(job, step, "run.waiting", data, result, lessee)
    progress.messages, progress.listens, progress.woken = messages, True, ""
    if not messages and not result.trace and job.held.rest == progress.rest:
        progress.links = []
    return progress


def undone(job: Job, happened: Happened, entry: compensating.Entry, lessee: Lessee) -> Progress:
    """A compensation is done and another one follows."""
    found = Following()
    following.begin_undo(job, found, entry)
    lead = found.lead
    assert lead is not None  # noqa: S101 - begin_undo made it
    if job.held.stopped:
        lead.state = "held"
    elif lessee.keep() and lessee.serves(lead.queue):
        lead.worker = lessee.id
    step = step_write(job, "succeeded", output=happened.output, attempt=job.held.attempt + 1)
    data = trail.step_data(job) | trail.begun_data(lead, [])
    alone = job.held.branch_parent is None and not job.held.stopped
    return Progress(
        step=step,
        cursor=job.cursor,
        links=trail.links(job, lessee, [("step.succeeded", data)]),
        next=[lead],
        run=_run_write(job, "running", UNDOING, UNCHANGED) if alone else None,
        undoing=found.undoing,
        undone=True,
    )


def ended(job: Job, happened: Happened, ending: Mapping[str, Any], lessee: Lessee) -> Progress:
    """Everything is undone, and the run ends as it was decided when that began."""
    step = step_write(job, "succeeded", output=happened.output, attempt=job.held.attempt + 1)
    state, reason = ending["state"], ending["reason"]
    kind = "run.cancelled" if state == "cancelled" else "run.failed"
    events = [("step.succeeded", trail.step_data(job)), (kind, {"reason": reason})]
    run = RunWrite(state=state, reason=reason, error=ending.get("error"))
    links = trail.links(job, lessee, events)
    return Progress(step=step, cursor=job.cursor, links=links, run=run, undone=True)


# --- parts ----------------------------------------------------------------------------------------------------------
def moved_on(
    job: Job,
    step: StepWrite,
    kind: str,
    data: Mapping[str, Any],
    result: Advance,
    lessee: Lessee,
    *,
    attempt: AttemptWrite | None = None,
    found: Following | None = None,
    named: NextStep | None = None,
    left: Left | None = None,
) -> Progress:
    """Return the progress of a step that the engine moved on from. `named` is what the step itself turned into."""
    found = found or following.following(job, result, lessee)
    command = result.command
    if left is not None:
        found.lead, found.rest = None, ""
        found.over += [key for key in open_keys(job.cursor, result.cursor) if key != job.key]
    lead = found.lead
    way = trail.begun_data(lead, job.trace + result.trace, before=len(job.trace))
    events: list[trail.Event] = [(kind, {**data, **way})]
    closed = left.closed if left else Closed(output=command.output) if isinstance(command, BranchDone) else None
    if closed is not None:
        closed.last = closed.last and not _competes(job)
        closed.steps = result.cursor["steps"] - job.cursor["branch"]["from"]
        events.append(("branch.closed", {"failed": closed.error is not None}))
    run = _run_after(job, result, found, named or lead, events, left)
    return Progress(
        step=step,
        cursor={} if closed else result.cursor,
        links=trail.links(job, lessee, events),
        next=[*([lead] if lead else []), *found.timers],
        attempt=attempt,
        run=run,
        rest=found.rest,
        branches=found.branches,
        closed=closed,
        over=found.over,
        woken=found.woken,
        listens=found.listens,
        subscriptions=found.subscriptions,
        unsubscribe=job.kind == "listen" and step.state not in ("waiting", "held", "ready"),
        undos=found.undos,
        undoing=found.undoing,
        undone=job.held.kind == "undo",
    )


def open_keys(*cursors: Mapping[str, Any]) -> list[str]:
    """Return the keys of timers and of steps in which tasks rest: what is open in a branch with these cursors."""
    keys: list[str] = []
    for cursor in cursors:
        frames = cursor.get("frames", ())
        for place, frame in enumerate(frames, 1):
            keys += frame.get("timers", ())
            if "task" in frame and "out" not in frame and ("pins" in frame or place == len(frames)):
                keys.append(frame.get("rest", frame["key"]))
    return list(dict.fromkeys(keys))


def step_write(
    job: Job, state: str, *, output: Any = None, error: dict[str, Any] | None = None, attempt: int
) -> StepWrite:
    """Return what becomes of the held step."""
    return StepWrite(
        state=state,
        key=job.key,
        ref=job.ref,
        name=job.name,
        kind=job.kind,
        function=job.function,
        action_version=job.action.id if job.action else None,
        queue=(job.action.queue if job.action else "") or job.held.queue,
        input=job.input,
        output=output,
        error=error,
        attempt=attempt,
        failures=job.held.failures,
        generation=job.held.generation,
    )


def attempt_write(job: Job, outcome: str, happened: Happened, lessee: Lessee) -> AttemptWrite:
    """Return the attempt as it is kept."""
    return AttemptWrite(
        number=job.held.attempt + 1,
        outcome=outcome,
        input=job.input,
        output=happened.output,
        error=happened.failure.as_dict() if happened.failure else None,
        log=happened.log,
        worker=happened.worker or lessee.id,
        code_version="" if happened.worker else lessee.code_version,
        started_at=happened.started_at,
    )


def outcome_of(failure: Failure) -> str:
    """Return how an attempt that failed is counted."""
    return "timed_out" if failure.code == "timeout" else "failed"


def _parked(
    job: Job,
    step: StepWrite,
    failure: Failure,
    reason: str,
    error: dict[str, Any],
    lessee: Lessee,
    attempt: AttemptWrite | None,
) -> Progress:
    """The step waits for a person. A run that is parked already stays parked for its first reason."""
    reason = UNDO_FAILED if job.kind == "undo" else reason
    step_event = ("step.failed", trail.step_data(job) | trail.failure_data(failure))
    run_event = ("run.failed", {"reason": reason, "step": job.key, "code": failure.code})
    context = _changed_context(job, job.context)
    already = job.held.run_state == "failed"
    run = RunWrite(state="failed", reason=reason, error=error, context=context)
    return Progress(
        step=step,
        cursor=job.cursor,
        links=trail.links(job, lessee, [step_event] if already else [step_event, run_event]),
        attempt=attempt,
        run=_context_write(context) if already else run,
        rest=following.PARKED,
    )


def _rested(
    job: Job,
    step: StepWrite,
    reason: str,
    events: Sequence[trail.Event],
    lessee: Lessee,
    attempt: AttemptWrite | None,
) -> Progress:
    """The same step goes on later. Inside a fork, `settling` says what that means for the run."""
    context = _changed_context(job, job.context)
    links = trail.links(job, lessee, events)
    alone = job.held.branch_parent is None and not job.held.stopped
    run = _run_write(job, "waiting", reason, context) if alone else _context_write(context)
    return Progress(step=step, cursor=job.cursor, links=links, attempt=attempt, run=run, rest=reason)


def _run_after(
    job: Job,
    result: Advance,
    found: Following,
    lead: NextStep | None,
    events: list[trail.Event],
    left: Left | None,
) -> RunWrite | None:
    """Return what becomes of the run, its event added to `events`."""
    command, context = result.command, _changed_context(job, result.context)
    if isinstance(command, Complete):
        events.append(("run.succeeded", {"output": payloads.digest_of(command.output)}))
        return RunWrite(state="succeeded", output=command.output, context=context)
    error = lead.error if lead else None
    if error is not None and left is None and job.held.run_state != "failed":
        told = command.error if isinstance(command, Park) else error
        events.append(("run.failed", {"reason": DEAD_LETTER, "step": lead.key if lead else "", "error": error["code"]}))
        return RunWrite(state="failed", reason=DEAD_LETTER, error=told, context=context)
    if job.held.stopped or job.held.branch_parent is not None:
        return _context_write(context)
    if found.rest and found.rest not in (following.FORK, following.PARKED):
        return _run_write(job, "waiting", found.rest, context)
    undoing = found.lead is not None and found.lead.kind == "undo"
    return _run_write(job, "running", UNDOING if undoing else "", context)


def _run_write(job: Job, state: str, reason: str, context: Any) -> RunWrite | None:
    """Write the run only when something about it changes: the hot path then locks and updates one row less."""
    if job.held.run_state == state and job.held.run_reason == reason and context is UNCHANGED:
        return None
    return RunWrite(state=state, reason=reason, context=context)


def _context_write(context: Any) -> RunWrite | None:
    """Write nothing but an export."""
    return None if context is UNCHANGED else RunWrite(keep=True, context=context)


def _changed_context(job: Job, context: Any) -> Any:
    """Return the new context when this advance, or the one that led to the held call, exported one; else UNCHANGED."""
    if context is job.stored_context or payloads.text_of(context) == payloads.text_of(job.stored_context):
        return UNCHANGED
    return context


def _competes(job: Job) -> bool:
    fork = job.cursor["branch"]["list"].removesuffix("/fork/branches")
    return bool(getattr(job.program.task_at(fork), "compete", False))


def _pause_state(job: Job) -> str:
    return "held" if job.held.stopped else "ready"


def _adopt(job: Job, step: NextStep) -> None:
    job.action = action_at(step.action_version, step.function)
    job.key, job.ref, job.name, job.kind = step.key, step.ref, step.name, step.kind
    job.function, job.input = step.function, step.input


def _failure(happened: Happened) -> Failure:
    assert happened.failure is not None  # noqa: S101 - for mypy
    return happened.failure
