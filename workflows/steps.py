"""What a worker does with a due step that is not a call: look at what it waited for, and let the engine go on."""

from collections.abc import Callable, Mapping
from typing import Any

from actions.errors import Failure
from workflows import compensating, crossing, inbox, joining, late, progress, recording, superseding
from workflows.engine.advance import Busy
from workflows.engine.messages import Advance, Continue, Done, GoOn, Listening, Park, Received, Skip, Start, TimedOut
from workflows.failures import language_error
from workflows.functions.rest import Rest
from workflows.job import Job
from workflows.lessee import Happened, Lessee

BUSY_SECONDS = 1.0


def begin(job: Job) -> Advance:
    """Let the engine begin a run, or a branch of a fork."""
    first = Start(job.run_input) if job.held.branch_parent is None else Continue()
    return compensating.settled(job, job.advance(first))


def begun(job: Job, result: Advance, lessee: Lessee) -> Job | None:
    """Record what comes first."""
    left = crossing.left(job, result.command.error) if isinstance(result.command, Park) else None
    if left is not None:
        return recording.write(job, progress.succeeded(job, Happened(), result, lessee, left=left), result, lessee)
    return recording.write(job, progress.begun(job, result, lessee), result, lessee)


def skips(job: Job) -> bool:
    """Tell whether a person gave the output of this step by hand."""
    return job.kind != "start" and inbox.given_by_hand(job) is not None


def skip(job: Job, lessee: Lessee) -> Job | None:
    """Go on with the output that a person gave."""
    message, output = inbox.given_by_hand(job) or (0, None)
    if job.kind == "undo":
        return after_undo(job, Happened(output=output), lessee)
    given = Skip(output) if job.kind == "task" else Done(job.key, output)
    try:
        result = compensating.settled(job, job.advance(given))
    except Busy:  # a listen is passed over when the body that runs is through: that wakes it
        state = "held" if job.held.stopped else "waiting"
        return recording.write(job, progress.postponed(job, state, 0.0), None, lessee)
    left = crossing.left(job, result.command.error) if isinstance(result.command, Park) else None
    return recording.write(job, progress.skipped(job, output, [message], result, lessee, left=left), result, lessee)


def after_undo(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Record a compensation; the next one follows, or what the undoing was for goes on."""
    if happened.failure is not None:
        park = Park(job.key, job.ref, job.name, language_error(happened.failure, job.ref))
        return recording.write(job, progress.parked(job, happened, park, progress.UNDO_FAILED, lessee), None, lessee)
    if "ending" in job.cursor:
        with recording.undisturbed(job):
            return _after_undo_of_all(job, happened, lessee)
    if late.is_late(job.key):
        return recording.write(job, superseding.undone(job, happened, lessee), None, lessee)
    scope, key = _scope(job)
    entry = compensating.choose(job, scope)
    if entry is not None:
        return recording.write(job, progress.undone(job, happened, entry, lessee), None, lessee)
    result = job.advance(Done(key, {"undone": compensating.undone(job, scope, job.cursor) + 1}))
    return recording.succeeded(job, happened, result, lessee)


def _after_undo_of_all(job: Job, happened: Happened, lessee: Lessee) -> Job | None:
    """Go on with the undo of the whole run unless another step does; the last one that undoes anything ends the run."""
    beside = compensating.beside(job)
    entry = compensating.choose(job, "") if all(map(late.is_late, beside)) else None
    if entry is not None:
        wanted = progress.undone(job, happened, entry, lessee)
    elif beside:
        wanted = superseding.undone(job, happened, lessee)
    else:
        wanted = progress.ended(job, happened, job.cursor["ending"], lessee)
    return recording.write(job, wanted, None, lessee)


def _scope(job: Job) -> tuple[str, str]:
    """Return the scope that is being undone and the key under which the engine waits for that."""
    frame: Mapping[str, Any] = (job.cursor.get("frames") or [{}])[-1]
    return frame.get("scope", ""), frame.get("rest", frame.get("key", ""))


def _wait(job: Job, lessee: Lessee) -> Job | None:
    return recording.succeeded(job, Happened(), job.advance(Done(job.key)), lessee)


def _go_on(job: Job, lessee: Lessee) -> Job | None:
    result = compensating.settled(job, job.advance(Continue()))
    if isinstance(result.command, GoOn) and result.command.key == job.key:  # the run was stopped just before its end
        state = "held" if job.held.stopped else "ready"
        return recording.write(job, progress.postponed(job, state, 0.0), None, lessee)
    park = result.command
    if isinstance(park, Park) and park.key == job.key and crossing.left(job, park.error) is None:
        return recording.write(job, progress.faulted_again(job, park, lessee), result, lessee)
    return recording.succeeded(job, Happened(), result, lessee)


def _timer(job: Job, lessee: Lessee) -> Job | None:
    """A task took too long: its timeout is raised where it stands, or the run is parked on it."""
    try:
        result = job.advance(TimedOut(job.key))
    except Busy:
        state = "held" if job.held.stopped else "ready"
        return recording.write(job, progress.postponed(job, state, BUSY_SECONDS), None, lessee)
    if not isinstance(result.command, Park):
        return recording.succeeded(job, Happened(), result, lessee)
    message = f"{job.name} took longer than it may"
    happened = Happened(failure=Failure("timeout", message, retryable=False))
    return recording.failed(job, happened, result, lessee)


def _join(job: Job, lessee: Lessee) -> Job | None:
    """The branches of a fork have decided, or the step waits on."""
    message = joining.decided(job)
    if message is None:
        return recording.write(job, progress.resting(job, Rest("fork"), lessee), None, lessee)
    result = job.advance(message)
    if isinstance(message, Done):
        return recording.succeeded(job, Happened(output=message.output), result, lessee)
    failure = Failure("branch_failed", str(message.error.get("detail") or message.error.get("title")), retryable=False)
    return recording.failed(job, Happened(failure=failure), result, lessee)


def _listen(job: Job, lessee: Lessee) -> Job | None:
    """Give the engine what was delivered, one event after the other, until it goes on or wants more."""
    consumed: list[int] = []
    result: Advance | None = None
    frame = next((f for f in job.cursor.get("frames", ()) if f.get("key") == job.key), None)
    if frame is None:
        raise recording.Over
    for message in inbox.delivered(job, frame):
        try:
            after = job.advance(Received(job.key, message.event), result)
        except Busy:
            break
        if isinstance(after.command, Park) and after.command.key == job.key:
            return _faulted(job, after.command, lessee)
        result = after if result is None else compensating.merged(result, after)
        command = result.command
        if message.own or not isinstance(command, Listening) or command.taken:
            consumed.append(message.id)
        _note(result, job.key, frame, message)
        if not isinstance(command, Listening):
            break
    return _listened(job, result, consumed, lessee)


def _listened(job: Job, result: Advance | None, consumed: list[int], lessee: Lessee) -> Job | None:
    if result is None:
        rest = Advance(job.cursor, Listening(job.key, job.ref, job.name), job.context)
        return recording.write(job, progress.listening(job, rest, consumed, lessee), rest, lessee)
    result = compensating.settled(job, result)
    frame = next((f for f in result.cursor["frames"] if f.get("key") == job.key and "out" not in f), None)
    given_up = isinstance(result.command, Park) and crossing.left(job, result.command.error) is not None
    if frame is not None and not given_up:
        return recording.write(job, progress.listening(job, result, consumed, lessee), result, lessee)
    return recording.listened(job, result, consumed, lessee)


def _faulted(job: Job, park: Park, lessee: Lessee) -> Job | None:
    """An event makes the listen fault: the step waits for a person, and nothing was consumed."""
    error = park.error
    happened = Happened(failure=Failure(str(error.get("title")), str(error.get("detail", "")), retryable=False))
    return recording.failed(job, happened, Advance(job.cursor, park, job.context), lessee)


def _note(result: Advance, key: str, frame: dict[str, Any], message: inbox.Delivered) -> None:
    """Keep in the cursor what the listen has looked at."""
    inbox.looked_at(frame, message)
    for current in result.cursor["frames"]:
        if current.get("key") == key:
            current["mail"] = frame["mail"]


def _begin_undo(job: Job, lessee: Lessee) -> Job | None:
    """The step with which a person's undo begins has nothing to undo itself."""
    return after_undo(job, Happened(), lessee)


STEPS: Mapping[str, Callable[[Job, Lessee], Job | None]] = {
    "wait": _wait,
    "task": _go_on,
    "timer": _timer,
    "join": _join,
    "listen": _listen,
    "undo": _begin_undo,
}
