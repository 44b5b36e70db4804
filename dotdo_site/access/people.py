"""The people who sign in: their audit chains, and the first administrator."""

import uuid

from django.contrib.auth.models import Group, User
from django.db import transaction

_CHAINS = uuid.UUID("6b1f0c52-7a0e-4c1b-9a52-3d1c7b0f4e11")


class NoSuchPerson(LookupError):
    """There is no active user of this name."""


def chain(user: User) -> uuid.UUID:
    """Return the audit chain of a person."""
    return uuid.uuid5(_CHAINS, str(user.pk))


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
