"""The people who sign in: their audit chains and roles, and the first administrator."""

import uuid
from collections.abc import Iterable

from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import transaction

_CHAINS = uuid.UUID("6b1f0c52-7a0e-4c1b-9a52-3d1c7b0f4e11")


class NoSuchPerson(LookupError):
    """There is no active user of this name."""


def chain(user: User) -> uuid.UUID:
    """Return the audit chain of a person."""
    return uuid.uuid5(_CHAINS, str(user.pk))


def roles_with(permissions: Iterable[str]) -> dict[str, list[str]]:
    """Return which roles have each permission, given as `app.codename`."""
    found: dict[str, list[str]] = {name: [] for name in permissions}
    if found:
        codes = [name.partition(".")[2] for name in found]
        rows = Group.objects.filter(permissions__codename__in=codes).order_by("id")
        named = rows.values_list("name", "permissions__content_type__app_label", "permissions__codename")
        for role, app, code in named:
            found.get(f"{app}.{code}", []).append(role)
    return found


def roles_of(user: User | AnonymousUser) -> list[str]:
    """Return the roles that a person has."""
    return list(user.groups.order_by("id").values_list("name", flat=True))


def administrator(name: str) -> User:
    """Return the active user of this name; where there is no superuser yet, make the first one. Raises NoSuchPerson.

    The first one has no password: a one-time link signs them in, and they may set one.
    """
    user = User.objects.filter(username=name, is_active=True).first()
    return user or _first(name)


def _first(name: str) -> User:
    if User.objects.filter(is_superuser=True).exists() or User.objects.filter(username=name).exists():
        raise NoSuchPerson(f"there is no active user {name!r}; name one that exists with --user")
    with transaction.atomic():
        user = User.objects.create_superuser(username=name)
        user.groups.add(Group.objects.get_or_create(name="Admin")[0])
    return user
