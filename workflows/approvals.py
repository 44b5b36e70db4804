"""What an approval asks, of whom, and until when: read from the input of its step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

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
