"""What runs in this thread right now: the one fact that guards against nesting need to know."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from actions.errors import ActionError


@dataclass(slots=True)
class Running:
    """The handler under way, and the secret texts it was given (so that they never reach a log)."""

    action: str
    transactional: bool
    secrets: set[str] = field(default_factory=set)


_running: ContextVar[Running | None] = ContextVar("actions.running", default=None)


@contextmanager
def handler(running: Running) -> Iterator[Running]:
    """Mark this thread as running a handler."""
    token = _running.set(running)
    try:
        yield running
    finally:
        _running.reset(token)


def current() -> Running | None:
    """Return the handler that runs in this thread, if any."""
    return _running.get()


def inside_handler() -> bool:
    """Tell whether this thread runs a handler."""
    return _running.get() is not None


def refuse_inside_handler(what: str) -> None:
    """Raise ActionError when called from a handler; `what` completes "an action cannot ..."."""
    running = _running.get()
    if running is None:
        return
    raise ActionError(
        "nested_action",
        f"{running.action}: an action cannot {what}, because it would no longer happen completely or not at all. "
        "Put both in a workflow: it keeps their order, retries only what failed and can undo the rest.",
        retryable=False,
    )
