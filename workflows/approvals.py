"""What an approval asks, of whom, and until when: read from the input of its step."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User

from actions import schemas
from workflows.language import durations

FUNCTION = "approval:1.0.0"
DECISIONS = ("approved", "rejected")
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}


class FormInvalid(ValueError):
    """The form that a workflow asks for is no JSON Schema that can be used."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may answer: the name, the groups, and whether no assignment binds them."""

    name: str
    groups: frozenset[str] = frozenset()
    superuser: bool = False


def person_of(user: User | AbstractBaseUser | AnonymousUser) -> Person:
    """Return the signed-in user, or the owner of an API key, as somebody who may answer."""
    assert isinstance(user, User)  # noqa: S101 - edges let nobody else in
    return Person(user.get_username(), frozenset(user.groups.values_list("name", flat=True)), user.is_superuser)


def assignees(asked: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the users and the groups that are asked; two empty lists mean anybody."""
    named = asked.get("assignees") or {}
    return list(named.get("users") or ()), list(named.get("groups") or ())


def known(kind: str) -> Iterable[str]:
    """Return the names of the groups, or of the users who can sign in."""
    if kind == "groups":
        return Group.objects.values_list("name", flat=True)
    return User.objects.filter(is_active=True).values_list("username", flat=True)


def strangers(asked: Mapping[str, Any]) -> list[str]:
    """Return, one sentence each, who is asked but does not exist, with the names that are near."""
    return [
        f"/assignees/{kind} there is no {kind[:-1]} {name!r} here{_near(name, there)}"
        for kind, named in zip(("users", "groups"), assignees(asked), strict=True)
        if not set(named) <= (there := set(known(kind)))
        for name in dict.fromkeys(named)
        if name not in there
    ]


def may_answer(asked: Mapping[str, Any], person: Person) -> bool:
    """Tell whether the approval is for this person."""
    users, groups = assignees(asked)
    anybody = not users and not groups
    return person.superuser or anybody or person.name in users or bool(person.groups & set(groups))


def form(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of what is to be filled in; without a form, nothing is. Raises FormInvalid."""
    wanted = asked.get("form") or NOTHING
    try:
        schema = schemas.normalise(wanted)
    except ValueError as error:
        raise FormInvalid(f"/form {error}") from None
    problems = schemas.check_schema(schema)
    if problems:
        raise FormInvalid("; ".join(f"/form{problem}" for problem in problems))
    return schema


def due_at(asked: Mapping[str, Any], began_at: datetime) -> datetime | None:
    """Return until when an answer counts, None without an end. Raises DurationError."""
    limit = asked.get("dueIn")
    return None if limit is None else began_at + durations.parse(limit)


def _near(name: str, there: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(there), 3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
