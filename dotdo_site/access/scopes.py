"""What an API key may be used for. A key never may more than its owner: the owner's permissions are checked as well."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

SCOPES = {
    "read": "Read runs, steps, attempts, actions and workflows.",
    "start:action:<pattern>": "Start actions whose name fits; `*` stands for any characters, as in `send-*`.",
    "start:workflow:<pattern>": "Start workflows whose name fits.",
    "retry": "Retry failed runs.",
    "cancel": "Cancel runs.",
    "suspend": "Suspend runs and let them go on.",
    "skip": "Skip steps with an output given by hand.",
    "fire-timer": "End waits early.",
    "undo": "Undo what runs have done.",
    "erase": "Erase runs that are over, and say how long runs are kept.",
    "answer": "Answer approvals.",
    "events:send": "Send events.",
    "events:read": "Read events.",
    "schedules:write": "Pause and resume schedules.",
    "notifications:read": "Read notifications and what is muted.",
    "notifications:write": "Mute notifications and send them again.",
    "datastore:read": "Read datastore entries.",
    "datastore:write": "Write datastore entries.",
    "definitions:write": "Save drafts of actions and workflows.",
    "definitions:publish": "Publish versions of actions and workflows.",
    "audit:read": "Read the audit trail of runs.",
    "audit:export": "Export the audit trail.",
}
_START = re.compile(r"start:(?:action|workflow):[a-z0-9*-]{1,63}")


class UnknownScope(ValueError):
    """A scope is not in the table of `dotdo_site.access.scopes`."""


def check(scopes: Iterable[str]) -> list[str]:
    """Return the scopes sorted and without repetition. Raises UnknownScope, also when there are none."""
    wanted = sorted(set(scopes))
    if not wanted:
        raise UnknownScope("a key needs at least one scope; they are: " + ", ".join(SCOPES))
    for scope in wanted:
        if not _known(scope):
            raise UnknownScope(f"{scope!r} is not a scope; they are: {', '.join(SCOPES)}")
    return wanted


def covers(scopes: Iterable[str], needed: str) -> bool:
    """Tell whether one of the scopes allows `needed`, such as `read` or `start:action:send-mail`."""
    return any(scope == needed or (_START.fullmatch(scope) and fnmatchcase(needed, scope)) for scope in scopes)


def _known(scope: str) -> bool:
    return bool(_START.fullmatch(scope)) or (scope in SCOPES and "<" not in scope)
