"""What a checkpoint is to write, decided from what happened. Values in, values out: nothing is read or written here."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from actions.errors import Failure
from audit.recording import Link, seal
from dotdo_site.lib import canonical
from dotdo_site.lib.ids import uuid7
from workflows.checkpoint import UNCHANGED, AttemptWrite, NextStep, Progress, RunWrite, StepWrite
from workflows.claim import Claimed
from workflows.engine.faults import STATUS, TYPES
from workflows.engine.messages import Advance, CallFunction, Command, Complete, GoOn, Park, SetTimer
from workflows.job import Job, action_of

TIMER, BACK_OFF, BLOCKED = "timer", "back_off", "blocked"
# What fails before, or instead of, a call to the outside, in the language's words.
FAULTS: Mapping[str, str] = {
    "timeout": "timeout",
    "invalid_input": "validation",
    "invalid_template": "expression",
    "invalid_document": "configuration",
    "unknown_operation": "configuration",
    "no_connection": "authorization",
    "no_secret": "authorization",
    "secret_refused": "authorization",
    "secret_unreadable": "authorization",
}
DEAD_LETTER, TIMED_OUT, POISONED = "dead_letter", "timed_out", "poisoned"


@dataclass(frozen=True, slots=True)
class Lessee:
    """The worker that writes. `keep()` is false when it must hand the run back: its time slice ended or it drains."""

    id: uuid.UUID
    code_version: str
    queues: tuple[str, ...]
    keep: Callable[[], bool]

    def serves(self, queue: str) -> bool:
        """Tell whether this worker takes steps of a queue; no list of queues means all of them."""
        return not self.queues or queue in self.queues


@dataclass(slots=True)
class Happened:
    """One attempt as the worker saw it."""

    output: Any = None
    failure: Failure | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    started_at: datetime | None = None


def succeeded(job: Job, happened: Happened, result: Advance, lessee: Lessee) -> Progress:
    """The held step is done and the engine said what follows."""
    following = _next_step(job, result.command, lessee)
    data = _step_data(job) | {"output": canonical.digest(happened.output)} | _begun(following, job.trace + result.trace)
    step = _step_write(job, "succeeded", output=happened.output, attempt=job.held.attempt + 1)
    attempt = _attempt(job, "succeeded", happened, lessee) if happened.log else None
    return _progress(job, step, "step.succeeded", data, result, following, attempt, lessee)


def begun(job: Job, result: Advance, lessee: Lessee) -> Progress:
    """A start step turns into what the engine said comes first, when that is not a call to execute at once."""
    following = _next_step(job, result.command, lessee)
    if following is None:
        step = _step_write(job, "succeeded", attempt=job.held.attempt + 1)
        return _progress(
            job, step, "step.succeeded", _step_data(job) | _begun(None, result.trace), result, None, None, lessee
        )
    _adopt(job, following, result.command)
    state = "failed" if following.error else "ready"
    step = _step_write(job, state, error=following.error, attempt=job.held.attempt + bool(following.error))
    step.due_at, step.queue = following.due_at, following.queue
    kind = "step.failed" if following.error else "run.waiting"
    data = _step_data(job) | {"path": result.trace}
    return _progress(job, step, kind, data, result, None, None, lessee)


def retrying(job: Job, happened: Happened, delay_seconds: float, lessee: Lessee) -> Progress:
    """The attempt failed; the same step is due again after the back-off."""
    assert happened.failure is not None  # noqa: S101 - for mypy
    step = _step_write(job, "ready", error=happened.failure.as_dict(), attempt=job.held.attempt + 1)
    step.failures, step.delay_seconds = job.held.failures + 1, delay_seconds
    data = _step_data(job) | _failure_data(happened.failure) | {"retry_in": round(delay_seconds, 3)}
    links = _links(job, lessee, [("step.retrying", data)])
    run = _run_write(job, "waiting", BACK_OFF, _changed_context(job, job.context))
    return Progress(
        step=step,
        cursor=job.cursor,
        links=links,
        attempt=_attempt(job, _outcome(happened.failure), happened, lessee),
        run=run,
    )


def parked(job: Job, happened: Happened, result: Advance, reason: str, lessee: Lessee) -> Progress:
    """The step failed for good and nobody caught it: the run waits for a person, its cursor as it was."""
    assert happened.failure is not None  # noqa: S101 - for mypy
    assert isinstance(result.command, Park)  # noqa: S101 - for mypy
    step = _step_write(job, "failed", error=happened.failure.as_dict(), attempt=job.held.attempt + 1)
    step.failures = job.held.failures + 1
    error = result.command.error
    links = _links(
        job,
        lessee,
        [
            ("step.failed", _step_data(job) | _failure_data(happened.failure)),
            ("run.failed", {"reason": reason, "step": job.key, "code": happened.failure.code}),
        ],
    )
    return Progress(
        step=step,
        cursor=job.cursor,
        links=links,
        attempt=_attempt(job, _outcome(happened.failure), happened, lessee),
        run=RunWrite(state="failed", reason=reason, error=error, context=_changed_context(job, job.context)),
    )


def poisoned(job: Job, failure: Failure, lessee: Lessee) -> Progress:
    """The step took its workers down too often: it is not tried again without a person."""
    step = _step_write(job, "failed", error=failure.as_dict(), attempt=job.held.attempt)
    data = _step_data(job) | _failure_data(failure)
    links = _links(
        job,
        lessee,
        [("step.failed", data), ("run.failed", {"reason": POISONED, "step": job.key, "code": failure.code})],
    )
    run = RunWrite(
        state="failed",
        reason=POISONED,
        error=language_error(failure, job.ref),
        context=_changed_context(job, job.context),
    )
    return Progress(step=step, cursor=job.cursor, links=links, run=run)


def faulted_again(job: Job, result: Advance, lessee: Lessee) -> Progress:
    """A retried task faulted once more, in the same place."""
    assert isinstance(result.command, Park)  # noqa: S101 - for mypy
    error = result.command.error
    step = _step_write(job, "failed", error=_fault_error(error), attempt=job.held.attempt + 1)
    step.failures = job.held.failures + 1
    return _progress(job, step, "step.failed", _step_data(job), result, None, None, lessee)


def run_ended_links(held: Claimed, lessee: Lessee) -> list[Link]:
    """Return the audit link of a step whose run ended while it was running."""
    data = {"step": held.key, "claim": held.claim, "superseded": True}
    return _sealed(held, lessee, held.now, [("step.cancelled", data)])


def poisoned_links(held: Claimed, failure: Failure, lessee: Lessee) -> list[Link]:
    """Return the audit links of a step that is parked from its row alone."""
    step = {"step": held.key, "name": held.name, "kind": held.kind, "claim": held.claim, "crashes": held.crashes}
    run = {"reason": POISONED, "step": held.key, "code": failure.code}
    return _sealed(held, lessee, held.now, [("step.failed", step | _failure_data(failure)), ("run.failed", run)])


def blocked(job: Job, delay_seconds: float, lessee: Lessee) -> Progress:
    """No worker here knows the handler: the step waits, untouched, for one that does. The audit trail says it once."""
    step = _step_write(job, "ready", attempt=job.held.attempt)
    step.delay_seconds = delay_seconds
    known = job.held.run_state == "waiting" and job.held.run_reason == BLOCKED
    links = [] if known else _links(job, lessee, [("run.blocked", _step_data(job))])
    run = _run_write(job, "waiting", BLOCKED, _changed_context(job, job.context))
    return Progress(step=step, cursor=job.cursor, links=links, run=run)


def language_error(failure: Failure, ref: str) -> dict[str, Any]:
    """Return the language's error object for a failed call; code and retryable travel with it."""
    status = failure.details.get("status")
    name = FAULTS.get(failure.code) or ("communication" if isinstance(status, int) else "runtime")
    return {
        "type": TYPES + name,
        "status": status if isinstance(status, int) else STATUS[name],
        "title": failure.code,
        "detail": failure.message,
        "instance": ref,
        "code": failure.code,
        "retryable": failure.retryable,
    }


# --- parts ----------------------------------------------------------------------------------------------------------
def _progress(
    job: Job,
    step: StepWrite,
    kind: str,
    data: Mapping[str, Any],
    result: Advance,
    following: NextStep | None,
    attempt: AttemptWrite | None,
    lessee: Lessee,
) -> Progress:
    command = result.command
    events: list[tuple[str, Mapping[str, Any]]] = [(kind, data)]
    context = _changed_context(job, result.context)
    if isinstance(command, Complete):
        run: RunWrite | None = RunWrite(state="succeeded", output=command.output, context=context)
        events.append(("run.succeeded", {"output": canonical.digest(command.output)}))
    elif isinstance(command, Park):
        run = RunWrite(state="failed", reason=DEAD_LETTER, error=command.error, context=context)
        events.append(("run.failed", {"reason": DEAD_LETTER, "step": command.key, "error": command.error.get("title")}))
    else:
        resting = isinstance(command, SetTimer)
        run = _run_write(job, "waiting" if resting else "running", TIMER if resting else "", context)
    return Progress(
        step=step,
        cursor=result.cursor,
        links=_links(job, lessee, events),
        next=[following] if following else [],
        attempt=attempt,
        run=run,
    )


def _next_step(job: Job, command: Command, lessee: Lessee) -> NextStep | None:
    if isinstance(command, Complete):
        return None
    step = NextStep(
        id=uuid7(), key=command.key, ref=command.ref, name=command.name, kind="task", priority=job.held.priority
    )
    step.queue = job.held.run_queue
    if isinstance(command, SetTimer):
        step.kind, step.due_at = "wait", command.due_at
    elif isinstance(command, Park):
        step.error = _fault_error(command.error)
    elif isinstance(command, CallFunction):
        action = action_of(command)
        step.kind, step.input, step.function = "call", command.input, f"{command.function}:{command.version}"
        step.action_version, step.queue = (action.id, action.queue) if action else (None, step.queue)
    if isinstance(command, CallFunction | GoOn) and lessee.keep() and lessee.serves(step.queue):
        step.worker = lessee.id
    return step


def _adopt(job: Job, step: NextStep, command: Command) -> None:
    job.action = action_of(command) if isinstance(command, CallFunction) else None
    job.key, job.ref, job.name, job.kind = step.key, step.ref, step.name, step.kind
    job.function, job.input = step.function, step.input


def _step_write(
    job: Job, state: str, *, output: Any = None, error: dict[str, Any] | None = None, attempt: int
) -> StepWrite:
    return StepWrite(
        state=state,
        key=job.key,
        ref=job.ref,
        name=job.name,
        kind=job.kind,
        function=job.function,
        action_version=job.action.id if job.action else None,
        queue=job.action.queue if job.action else job.held.queue,
        input=job.input,
        output=output,
        error=error,
        attempt=attempt,
        failures=job.held.failures,
    )


def _attempt(job: Job, outcome: str, happened: Happened, lessee: Lessee) -> AttemptWrite:
    return AttemptWrite(
        number=job.held.attempt + 1,
        outcome=outcome,
        input=job.input,
        output=happened.output,
        error=happened.failure.as_dict() if happened.failure else None,
        log=happened.log,
        worker=lessee.id,
        code_version=lessee.code_version,
        started_at=happened.started_at,
    )


def _outcome(failure: Failure) -> str:
    return "timed_out" if failure.code == "timeout" else "failed"


def _run_write(job: Job, state: str, reason: str, context: Any) -> RunWrite | None:
    """Write the run only when something about it changes: the hot path then locks and updates one row less."""
    if job.held.run_state == state and job.held.run_reason == reason and context is UNCHANGED:
        return None
    return RunWrite(state=state, reason=reason, context=context)


def _changed_context(job: Job, context: Any) -> Any:
    """Return the new context when this advance, or the one that led to the held call, exported one; else UNCHANGED."""
    if context is job.stored_context or canonical.dumps(context) == canonical.dumps(job.stored_context):
        return UNCHANGED
    return context


def _links(job: Job, lessee: Lessee, events: list[tuple[str, Mapping[str, Any]]]) -> list[Link]:
    return _sealed(job.held, lessee, job.now(), events)


def _sealed(held: Claimed, lessee: Lessee, at: datetime, events: list[tuple[str, Mapping[str, Any]]]) -> list[Link]:
    links: list[Link] = []
    head, seq = bytes(held.audit_head), held.audit_seq
    for kind, data in events:
        seq += 1
        link = seal(
            head, chain=held.branch, seq=seq, run=held.run, kind=kind, actor=f"worker:{lessee.id}", at=at, data=data
        )
        links.append(link)
        head = link.hash
    return links


def _step_data(job: Job) -> dict[str, Any]:
    data: dict[str, Any] = {"step": job.key, "name": job.name, "kind": job.kind, "claim": job.held.claim}
    if job.kind == "call":
        data |= {"function": job.function, "input": canonical.digest(job.input), "attempt": job.held.attempt + 1}
    if job.held.crashes:
        data["crashes"] = job.held.crashes
    return data


def _begun(following: NextStep | None, trace: list[str]) -> dict[str, Any]:
    data: dict[str, Any] = {"path": trace} if trace else {}
    if following is not None:
        data["next"] = following.key
    if following is not None and following.due_at is not None:
        data["due_at"] = following.due_at.isoformat()
    return data


def _failure_data(failure: Failure) -> dict[str, Any]:
    return {"code": failure.code, "retryable": failure.retryable, "definite": failure.definite}


def _fault_error(error: Mapping[str, Any]) -> dict[str, Any]:
    return {**error, "code": str(error.get("title") or "fault"), "message": _words(error), "retryable": False}


def _words(error: Mapping[str, Any]) -> str:
    return str(error.get("detail") or error.get("title") or error.get("type") or "a fault")
