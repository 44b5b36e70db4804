"""The migration makes the roles with every permission that they name, and each contains the one below it."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from dotdo_site.access import roles

pytestmark = pytest.mark.django_db


def _held(role: str) -> set[str]:
    rows = Permission.objects.filter(group__name=role).select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}" for row in rows}


@pytest.mark.parametrize("role", roles.ROLES)
def test_the_migration_gave_every_permission_of_the_role(role: str) -> None:
    assert _held(role) == set(roles.ROLES[role])


def test_each_role_contains_the_one_before_it() -> None:
    assert set(roles.VIEWER) < set(roles.OPERATOR) < set(roles.EDITOR) < set(roles.ADMIN)
    assert set(roles.AUDITOR) & set(roles.OPERATOR) >= set(roles.VIEWER)


def test_an_auditor_changes_nothing() -> None:
    verbs = {name.split(".")[1].split("_")[0] for name in roles.AUDITOR}
    assert verbs == {"view", "export"}


def test_applying_the_roles_again_keeps_what_a_site_added() -> None:
    viewer = Group.objects.get(name="Viewer")
    extra = Permission.objects.get(codename="start_run")
    viewer.permissions.add(extra)
    roles.apply(apps)
    assert extra in viewer.permissions.all()
    assert Group.objects.count() == len(roles.ROLES)
