"""What runs in this thread right now: the one fact that guards against nesting need to know."""

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from urllib.parse import quote

from actions.errors import ActionError


@dataclass(slots=True)
class Running:
    """The handler under way, for which step, and the secret texts it was given (so that they never reach a log).

    `revealed` are those of them that came from connections: they never reach a result either. `used` holds each
    (connection, host) whose use is recorded.
    """

    action: str
    transactional: bool
    secrets: set[str] = field(default_factory=set)
    run: str = ""
    step: str = ""
    revealed: set[str] = field(default_factory=set)
    used: set[tuple[str, str]] = field(default_factory=set)

    def reveal(self, texts: Iterable[str]) -> None:
        """Keep texts, and how they look in a URL, in JSON, and in JSON within JSON, out of everything that is kept."""
        for text in texts:
            once = json.dumps(text)[1:-1]
            forms = {
                text,
                quote(text, safe=""),
                json.dumps(text, ensure_ascii=False)[1:-1],
                once,
                json.dumps(once)[1:-1],
            }
            self.secrets |= forms
            self.revealed |= forms


_running: ContextVar[Running | None] = ContextVar("actions.running", default=None)


def handler(running: Running) -> AbstractContextManager[Running]:
    """Mark this thread as running a handler."""
    return _Marked(running)


class _Marked(AbstractContextManager[Running]):
    __slots__ = ("running", "token")

    def __init__(self, running: Running) -> None:
        self.running = running

    def __enter__(self) -> Running:
        self.token: Token[Running | None] = _running.set(self.running)
        return self.running

    def __exit__(self, *_: object) -> None:
        _running.reset(self.token)


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
