"""The kinds of handlers, one module each: those that actions are configured with, and those that `call` itself is."""

from collections.abc import Mapping
from typing import Any, Protocol

from actions.context import Context
from actions.handlers import email, http, http_call, openapi_call, python
from actions.problems import Problem


class Handler(Protocol):
    """Something that can be done."""

    def run(self, ctx: Context, config: dict[str, Any], value: Any) -> Any:
        """Do it and return the result as a JSON value. Raises ActionError."""


class Kind(Handler, Protocol):
    """How one kind of action is configured and run. An outside kind is never transactional."""

    OUTSIDE: bool

    def check(self, config: Any) -> list[Problem]:
        """Return everything that is wrong with a configuration."""

    def destination(self, config: dict[str, Any]) -> str | None:
        """Return the host that all input goes to, None for code of this installation. Raises ActionError."""


KINDS: Mapping[str, Kind] = {"python": python, "http": http, "email": email}
# `call: http` and `call: openapi`: their whole configuration is their input, and they put secrets in themselves.
CALLS: Mapping[str, Handler] = {"http-call": http_call, "openapi-call": openapi_call}
