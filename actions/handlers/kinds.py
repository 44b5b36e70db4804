"""The kinds of handlers: one module each, with `check(config)`, `run(ctx, config, value)` and `OUTSIDE`."""

from typing import Any, Protocol

from actions.context import Context
from actions.handlers import email, http, python
from actions.problems import Problem


class Kind(Protocol):
    """How one kind of action is configured and run. An outside kind is never transactional."""

    OUTSIDE: bool

    def check(self, config: Any) -> list[Problem]:
        """Return everything that is wrong with a configuration."""

    def run(self, ctx: Context, config: dict[str, Any], value: Any) -> Any:
        """Do it and return the result as a JSON value. Raises ActionError."""


KINDS: dict[str, Kind] = {"python": python, "http": http, "email": email}
