"""What is read of a key and its owner at once is what Django would have read."""

from collections.abc import Callable

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission, User

from dotdo_site.access import keys, owners
from dotdo_site.access.models import ApiKey

pytestmark = pytest.mark.usefixtures("db")


def _nobody(user: User) -> None:
    pass


def _in_groups(user: User) -> None:
    user.groups.set(Group.objects.filter(name__in=["Operator", "Auditor"]))


def _by_name(user: User) -> None:
    user.user_permissions.set(Permission.objects.filter(codename__in=["start_run", "erase_run"]))
    user.groups.set(Group.objects.filter(name="Viewer"))


def _root(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_superuser=True)


def _gone(user: User) -> None:
    _in_groups(user)
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("made", [_nobody, _in_groups, _by_name, _root, _gone])
def test_an_owner_may_exactly_what_django_says(made: Callable[[User], None]) -> None:
    user = User.objects.create_user("somebody", "some@example.com", "secret-secret")
    key, _ = keys.issue("test", user, ["read", "start:action:*"], actor="cli:test")
    made(user)
    found, expected = owners.find(key.prefix), User.objects.get(pk=user.pk)
    assert found is not None
    for field in ApiKey._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(ApiKey.objects.get(pk=key.pk), field.attname)
    for field in User._meta.concrete_fields:
        assert getattr(found.owner, field.attname) == getattr(expected, field.attname)
    everything = [f"{each.content_type.app_label}.{each.codename}" for each in Permission.objects.all()]
    assert {each for each in everything if found.owner.has_perm(each)} == {
        each for each in everything if expected.has_perm(each)
    }
    assert ModelBackend().get_all_permissions(found.owner) == ModelBackend().get_all_permissions(expected)


def test_no_key_is_found_for_another_prefix() -> None:
    assert owners.find("00000000") is None


def test_a_permission_taken_away_is_gone_with_the_next_request() -> None:
    user = User.objects.create_user("somebody")
    key, _ = keys.issue("test", user, ["read"], actor="cli:test")
    for groups, may in ((["Operator"], True), ([], False), (["Operator"], True)):
        user.groups.set(Group.objects.filter(name__in=groups))
        found = owners.find(key.prefix)
        assert found is not None
        assert found.owner.has_perm("workflows.start_run") == may
