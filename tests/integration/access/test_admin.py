"""The admin's people and keys: nobody climbs above their role, and a key is shown once."""

import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from dotdo_site.access import keys
from dotdo_site.access.models import ApiKey
from dotdo_site.access.scopes import SCOPES

pytestmark = pytest.mark.django_db


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def boss() -> User:
    user = User.objects.create_user("boss", is_staff=True)
    user.groups.add(Group.objects.get(name="Admin"))
    return user


def test_an_admin_cannot_make_themselves_a_superuser(boss: User) -> None:
    form = {
        "username": "boss",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "groups": [str(group.pk) for group in boss.groups.all()],
    }
    response = _client(boss).post(f"/admin/auth/user/{boss.pk}/change/", form)
    boss.refresh_from_db()
    assert response.status_code == 302
    assert not boss.is_superuser


@pytest.mark.parametrize("page", ["change", "password"])
def test_an_admin_cannot_take_over_a_superuser(boss: User, root: User, page: str) -> None:
    response = _client(boss).post(
        f"/admin/auth/user/{root.pk}/{page}/",
        {"password1": "a long enough phrase", "password2": "a long enough phrase"},
    )
    assert response.status_code == 403


def test_nobody_deletes_people_or_keys(root: User) -> None:
    key, _ = keys.issue("ci", root, ["read"], actor="cli:test")
    assert _client(root).post(f"/admin/auth/user/{root.pk}/delete/").status_code == 403
    assert _client(root).post(f"/admin/access/apikey/{key.pk}/delete/").status_code == 403
    assert _client(root).post(f"/admin/access/apikey/{key.pk}/change/", {"name": "x"}).status_code == 403


def test_a_key_is_issued_shown_once_and_revoked(boss: User) -> None:
    client = _client(boss)
    form = {"name": "crm", "owner": boss.pk, "scopes": ["read"], "start_actions": "*", "days": "30"}
    page = client.post("/admin/access/apikey/add/", form, follow=True).content.decode()
    found = re.search(r"dotdo_\w{8}_\w{32}", page)
    assert found is not None, page
    key = keys.verify(found.group(), timezone.now())
    assert key is not None
    assert (key.name, key.scopes) == ("crm", ["read", "start:action:*"])
    assert ApiKey.objects.count() == 1
    again = client.get(f"/admin/access/apikey/{key.pk}/change/").content.decode()
    assert found.group() not in again
    assert key.digest not in again
    client.post("/admin/access/apikey/", {"action": "revoke", "_selected_action": [str(key.pk)]})
    assert keys.verify(found.group(), timezone.now()) is None
    kinds = AuditEvent.objects.filter(chain=key.pk).order_by("seq").values_list("kind", "actor")
    assert list(kinds) == [("key.issued", "user:boss"), ("key.revoked", "user:boss")]


def test_the_form_of_a_key_shows_no_scope_with_its_pattern_missing(boss: User) -> None:
    page = _client(boss).get("/admin/access/apikey/add/").content.decode()
    assert "start:action:" not in page
    assert "`" not in page
    assert page.count('type="checkbox" name="scopes"') == sum("<" not in scope for scope in SCOPES)


def test_an_admin_cannot_issue_a_key_that_acts_as_a_superuser(boss: User, root: User) -> None:
    form = {"name": "x", "owner": root.pk, "scopes": "read", "days": "30"}
    assert "owner" in _client(boss).post("/admin/access/apikey/add/", form).context["adminform"].form.errors
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"scopes": "everything"}, {"days": "400"}, {"days": "0"}, {"scopes": ""}, {"start_actions": "Not/A/Name"}]
)
def test_a_key_with_unknown_scopes_or_for_too_long_is_refused(root: User, wrong: dict[str, str]) -> None:
    form = {"name": "x", "owner": root.pk, "scopes": "read", "days": "30"} | wrong
    assert _client(root).post("/admin/access/apikey/add/", form).context["adminform"].form.errors
    assert not ApiKey.objects.exists()


def test_a_viewer_with_access_to_the_admin_sees_neither_people_nor_keys(root: User) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.groups.add(Group.objects.get(name="Viewer"))
    for path in ("auth/user/", "access/apikey/", "access/apikey/add/"):
        assert _client(viewer).get(f"/admin/{path}").status_code == 403
