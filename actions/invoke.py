"""One attempt: validate the input, run the handler under its time limit, turn whatever happens into an Outcome.

Its only queries are for the secrets that the input names; nothing a handler does gets out of here as an exception.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, NamedTuple

from actions import fixed, logs, markers, running, secrets
from actions.alarm import Alarm, HandlerTimeout
from actions.context import Context
from actions.contract import Runnable
from actions.errors import ActionError, Failure, from_exception, from_result, shorten, trace_of
from actions.handlers.kinds import CALLS, KINDS
from actions.limits import check_value
from actions.problems import Problem
from actions.sensitive import cover, redact, redact_value

# Frames of these packages in a traceback mean that a query was cut off and its connection is in an unknown state.
DATABASE_PACKAGES = ("psycopg", "psycopg_binary", "psycopg_c", "psycopg_pool")
LISTED = 5


class Outcome(NamedTuple):
    """What an attempt came to. `interrupted`: it may have been stopped inside a query; discard the connection.

    `used` are the (connection, host) pairs whose secrets it was given.
    """

    ok: bool
    output: Any
    failure: Failure | None
    log: list[dict[str, Any]]
    seconds: float
    interrupted: bool = False
    used: frozenset[tuple[str, str]] = frozenset()


def invoke(version: Runnable, value: Any, ctx: Context, *, hard_stop: bool = False) -> Outcome:
    """Run one attempt. `hard_stop` ends the process when the handler ignores its limit for another 5 s."""
    started = time.monotonic()
    now_running = running.Running(_label(version), bool(version.transactional), run=ctx.run_id, step=ctx.step_key)
    with running.handler(now_running), logs.capture(now_running.secrets) as recorder:
        came_to = _run(version, value, ctx, hard_stop)
    return Outcome(
        came_to.failure is None,
        cover(came_to.output, now_running.revealed),
        came_to.failure and _redacted(came_to.failure, now_running.secrets),
        recorder.result(),
        time.monotonic() - started,
        came_to.interrupted,
        frozenset(now_running.used),
    )


def check_input(version: Runnable, value: Any) -> list[Problem]:
    """Return all problems of an input: the published limits, then the schema."""
    return check_value(value) or fixed.problems(version.input_schema, value)


class _CameTo(NamedTuple):
    output: Any = None
    failure: Failure | None = None
    interrupted: bool = False


def _run(version: Runnable, value: Any, ctx: Context, hard_stop: bool) -> _CameTo:
    try:
        given = _with_secrets(version, value, ctx)
    except ActionError as error:
        return _CameTo(failure=from_exception(error))
    if found := check_input(version, given):
        return _CameTo(failure=_invalid("invalid_input", "the input", found))
    limit = version.timeout_ms / 1_000
    ctx.deadline = time.monotonic() + limit
    current = running.current()
    assert current is not None  # noqa: S101 - for mypy
    current.secrets |= fixed.sensitive_values(version.input_schema, given)
    alarm = Alarm(limit, hard_stop=hard_stop)
    output, failure, interrupted = _attempt(version, given, ctx, alarm)
    if failure is not None:
        return _CameTo(failure=failure, interrupted=interrupted)
    if alarm.fired:  # the handler swallowed the alarm: whatever it returned, and whatever it cut off, is not trusted
        return _CameTo(failure=_timed_out(version), interrupted=True)
    return _CameTo(output, _refused_output(version, output))


def _with_secrets(version: Runnable, value: Any, ctx: Context) -> Any:
    """Return the handler's own copy of the input, secrets put in; `call: http` does that itself, at the last moment."""
    kind = KINDS.get(version.kind)
    if kind is None:
        return value
    return markers.substitute(value, ctx.secret_names, lambda name: secrets.use(name, kind.destination(version.config)))


def _attempt(version: Runnable, value: Any, ctx: Context, alarm: Alarm) -> tuple[Any, Failure | None, bool]:
    kind = KINDS.get(version.kind) or CALLS.get(version.kind)
    if kind is None:
        known = ", ".join(KINDS)
        return None, Failure("no_handler", f"no handler kind {version.kind!r}: {known}", True, definite=True), False
    try:
        return alarm.run(lambda: kind.run(ctx, version.config, value)), None, False
    except HandlerTimeout as error:
        return None, replace(_timed_out(version), traceback=trace_of(error)), _in_query(error.__traceback__)
    except KeyboardInterrupt as error:
        failure = Failure("interrupted", "the handler was interrupted", retryable=True, traceback=trace_of(error))
        return None, failure, _in_query(error.__traceback__)
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is a failure of its attempt
        return None, from_exception(error), alarm.fired


def _refused_output(version: Runnable, output: Any) -> Failure | None:
    """Return why the result is a failure after all: it says so, is too large, or breaks its schema."""
    if version.kind not in CALLS and isinstance(output, Mapping) and (failure := from_result(output)):
        return failure
    if found := check_value(output):
        large = all(problem.rule in ("size", "depth", "keys") for problem in found)
        return _invalid("result_too_large" if large else "invalid_output", "the result", found)
    try:
        found = fixed.problems(version.output_schema, output)
    except (TypeError, ValueError) as error:  # a subclass of str, say: looks like JSON and is not
        found = [Problem("", "type", f"is not a plain JSON value: {error}")]
    return _invalid("invalid_output", "the result", found) if found else None


def _invalid(code: str, what: str, found: list[Problem]) -> Failure:
    """An input that was refused did nothing; a handler whose result is refused has run."""
    listed = "; ".join(map(str, found[:LISTED])) + ("; ..." if len(found) > LISTED else "")
    details = {"problems": [problem.as_dict() for problem in found]}
    return Failure(code, f"{what}: {listed}", retryable=False, definite=code == "invalid_input", details=details)


def _timed_out(version: Runnable) -> Failure:
    return Failure("timeout", f"the handler did not finish within {version.timeout_ms / 1_000:g} s", retryable=True)


def _redacted(failure: Failure, secrets: set[str]) -> Failure:
    return replace(
        failure,
        message=redact(failure.message, secrets),
        traceback=redact(failure.traceback, secrets),
        details=_details(failure.details, secrets),
    )


def _details(details: Mapping[str, Any], secrets: set[str]) -> dict[str, Any]:
    """Return details that can be stored; what cannot is shown as text."""
    plain = dict(details)
    if check_value(plain):
        return {"text": redact(shorten(repr(plain), 2_000), secrets)}
    return dict(redact_value(plain, secrets))


def _in_query(trace: TracebackType | None) -> bool:
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.split(".", maxsplit=1)[0] in DATABASE_PACKAGES:
            return True
        trace = trace.tb_next
    return False


def _label(version: Runnable) -> str:
    config = version.config if isinstance(version.config, dict) else {}
    return str(config.get("name", f"this {version.kind} action"))
