"""What can go wrong in an attempt, as a value that retry policies, people and programs read."""

import math
import re
import traceback as tb
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from actions.limits import storable

CODE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
MESSAGE_LIMIT = 2_000
TRACEBACK_LIMIT = 16_384
MACHINERY = frozenset({"actions.invoke", "actions.alarm", "actions.handlers.python"})


class ActionError(Exception):
    """Say that the action failed, and whether trying again can help.

    `retry_after` is in seconds and implies `retryable`. A failure is final unless you say otherwise: naming an error is
    a decision, an unexpected exception is not. `definite` tells whether nothing happened; without it, a final error is
    definite and a retryable one is not. Raises ValueError for a code that is not `lower_case`, and for a `retry_after`
    that is not a number of seconds.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        retryable: bool | None = None,
        retry_after: float | None = None,
        definite: bool | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        if not CODE.fullmatch(code):
            raise ValueError(f"{code!r} is not an error code: use lower case letters, digits, `_`, `-`, `.`, up to 64")
        if retry_after is not None and not 0 <= retry_after < math.inf:
            raise ValueError(f"retry_after={retry_after!r} is not a number of seconds")
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message or code.replace("_", " ")
        self.retryable = retry_after is not None if retryable is None else retryable
        self.retry_after = retry_after
        self.definite = not self.retryable if definite is None else definite
        self.details = dict(details or {})


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt. `definite`: the other side refused and nothing happened; otherwise the outcome is unknown."""

    code: str
    message: str
    retryable: bool
    retry_after: float | None = None
    definite: bool = False
    traceback: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return what is stored and shown; empty optional parts are left out."""
        optional = {"retry_after": self.retry_after, "traceback": self.traceback, "details": dict(self.details)}
        return {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "definite": self.definite,
            **{key: value for key, value in optional.items() if value},
        }


def from_exception(error: BaseException) -> Failure:
    """Return the failure that an exception means: what it says for ActionError, retryable and unknown for others."""
    if isinstance(error, ActionError):
        return Failure(
            error.code,
            shorten(error.message, MESSAGE_LIMIT),
            error.retryable,
            error.retry_after,
            error.definite,
            details=error.details,
        )
    message = str(error) or type(error).__name__
    return Failure(code_of(error), shorten(message, MESSAGE_LIMIT), retryable=True, traceback=trace_of(error))


def from_result(result: Mapping[str, Any]) -> Failure | None:
    """Return the failure that `{"success": false, "error": ..., "message": ..., "retryable": ...}` means, else None."""
    if result.get("success") is not False:
        return None
    named = result.get("error")
    code = named if isinstance(named, str) and CODE.fullmatch(named) else "action_failed"
    message = str(result.get("message") or named or code)
    retry_after = result.get("retry_after")
    number = isinstance(retry_after, int | float) and not isinstance(retry_after, bool) and 0 <= retry_after < math.inf
    after = float(retry_after) if number else None  # type: ignore[arg-type]
    retryable = bool(result.get("retryable", after is not None))
    return Failure(code, shorten(message, MESSAGE_LIMIT), retryable, after, definite=not retryable)


def code_of(error: BaseException) -> str:
    """Return the class name in snake case: `ReadTimeout` is `read_timeout`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(error).__name__).lower().strip("_")
    return words if CODE.fullmatch(words) else "exception"


def trace_of(error: BaseException) -> str:
    """Return the traceback, its middle cut out when it is longer than 16 KiB."""
    lines = tb.format_exception(type(error), error, _handlers_part(error.__traceback__))
    return shorten("".join(lines), TRACEBACK_LIMIT)


def _handlers_part(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback from where our own machinery called the handler."""
    inner = trace
    while inner is not None and inner.tb_frame.f_globals.get("__name__") in MACHINERY:
        inner = inner.tb_next
    return inner or trace


def shorten(text: str, limit: int) -> str:
    """Return text that PostgreSQL can store, at most about `limit` characters: the middle goes first."""
    clean = storable(text)
    if len(clean) <= limit:
        return clean
    half = limit // 2
    return f"{clean[:half]}\n[... {len(clean) - 2 * half} characters cut ...]\n{clean[-half:]}"
