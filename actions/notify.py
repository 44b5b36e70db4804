"""Who is told when runs of an action need a person: a part of its contract, as retry and timeout are.

What is an address is said here and in `workflows.language.checks.notify`, which imports nothing of this package.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from actions.contract import NAME
from actions.problems import Problem, pointer

ON = ("dead_letter", "undo_failed", "no_worker")
DEFAULT_ON = ("dead_letter", "undo_failed")
KEYS = ("on", "email", "webhook", "connection")
MOST_ADDRESSES = 20
LONGEST_ADDRESS = 254
LONGEST_URL = 500
CONNECTION = re.compile(NAME)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TOP = r"(?:[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9])"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:(?:{_LABEL}\.)+{_TOP}|localhost)")
VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell these addresses about these kinds. `connection` names the secret with which the webhook is signed."""

    on: Sequence[str] = DEFAULT_ON
    email: Sequence[str] | str = ()
    webhook: str = ""
    connection: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON, without what is empty."""
        email = [self.email] if isinstance(self.email, str) else list(self.email)
        parts = {"on": list(self.on), "email": email, "webhook": self.webhook, "connection": self.connection}
        return {name: value for name, value in parts.items() if value}


def settled(value: Notify | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the form that is stored: written out, empty when nobody is to be told. Raises ValueError."""
    if value is None or value == {}:
        return {}
    given = value.as_dict() if isinstance(value, Notify) else value
    if found := list(problems(given)):
        raise ValueError("; ".join(f"notify{problem.pointer} {problem.message}" for problem in found))
    return Notify(**{"on": DEFAULT_ON, **given}).as_dict()


def problems(value: Any) -> Iterator[Problem]:
    """Yield what is wrong with `notify`; an empty object says nothing."""
    if value == {}:
        return
    if not isinstance(value, Mapping):
        yield Problem("", "type", "must be an object")
        return
    for key in sorted(set(value) - set(KEYS)):
        yield Problem(pointer([key]), "notify", f"is not a setting of notify; there are {', '.join(KEYS)}")
    yield from _on_problems(value.get("on", list(DEFAULT_ON)))
    yield from _email_problems(value.get("email", []))
    yield from _webhook_problems(value)
    if not value.get("email") and not value.get("webhook"):
        yield Problem("", "notify", "names nobody: give email or webhook")


def is_url(text: Any) -> bool:
    """Tell whether a text is the absolute address of a webhook."""
    if not isinstance(text, str) or len(text) > LONGEST_URL or not VISIBLE.fullmatch(text):
        return False
    try:
        found = urlsplit(text)
        return found.scheme in ("http", "https") and bool(found.hostname) and found.username is None and found.port != 0
    except ValueError:
        return False


def is_address(text: Any) -> bool:
    """Tell whether a text is one e-mail address."""
    return isinstance(text, str) and len(text) <= LONGEST_ADDRESS and bool(ADDRESS.fullmatch(text))


def _on_problems(value: Any) -> Iterator[Problem]:
    if not isinstance(value, list | tuple) or not value or not all(kind in ON for kind in value):
        yield Problem("/on", "enum", f"must be a list of {', '.join(ON)}")


def _email_problems(value: Any) -> Iterator[Problem]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or len(given) > MOST_ADDRESSES or not all(map(is_address, given)):
        yield Problem("/email", "format", f"must be a list of up to {MOST_ADDRESSES} e-mail addresses")


def _webhook_problems(value: Mapping[str, Any]) -> Iterator[Problem]:
    webhook, connection = value.get("webhook", ""), value.get("connection", "")
    if connection != "" and not (isinstance(connection, str) and CONNECTION.fullmatch(connection)):
        yield Problem("/connection", "format", "must be the name of a connection")
    if webhook != "" and not is_url(webhook):
        yield Problem("/webhook", "format", "must be an address such as https://example.com/hooks/dotdo")
    if bool(webhook) != bool(connection):
        yield Problem("/connection", "notify", "a webhook is signed: give both, webhook and connection, or neither")
