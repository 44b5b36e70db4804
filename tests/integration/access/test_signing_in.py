"""Signing in by form and by link: throttled, audited, once, and only from this machine."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from dotdo_site.access import links, people
from dotdo_site.access.models import SignInLink

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def client() -> Client:
    return Client(headers={"host": "localhost"})


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password=PASSWORD)


def _kinds(user: User) -> list[str]:
    return list(AuditEvent.objects.filter(chain=people.chain(user)).order_by("seq").values_list("kind", flat=True))


def _path(user: User) -> str:
    return f"/sign-in/{links.create(user, actor='cli:test', now=timezone.now())}/"


def _signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_signing_in_and_out_is_recorded(client: Client, ada: User) -> None:
    response = client.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").status_code == 302
    assert _kinds(ada) == ["session.signed_in", "session.signed_out"]


def test_the_sixth_guess_is_locked_out_even_with_the_right_password(client: Client, ada: User) -> None:
    for _ in range(5):
        client.post("/sign-in/", {"username": "ada", "password": "wrong"})
    response = client.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert response.status_code == 429
    assert not _signed_in(client)
    assert "session.locked" in _kinds(ada)
    assert _kinds(ada).count("session.refused") <= 6


def test_a_name_that_does_not_exist_is_not_written_to_the_audit_trail(client: Client, ada: User) -> None:
    client.post("/sign-in/", {"username": "my-password-in-the-wrong-field", "password": "x"})
    assert not AuditEvent.objects.exists()


def test_sign_in_needs_the_csrf_token(ada: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/sign-in/", {"username": "ada", "password": PASSWORD}).status_code == 403


def test_sign_in_never_leads_to_another_site(client: Client, ada: User) -> None:
    response = client.post("/sign-in/?next=https://evil.example/", {"username": "ada", "password": PASSWORD})
    assert response["Location"] == "/"


def test_a_link_signs_in_once(client: Client, ada: User) -> None:
    path = _path(ada)
    assert client.get(path)["Location"] == "/"
    assert _signed_in(client)
    assert client.get(path)["Location"] == "/", "following it again in the same browser is no error"
    assert Client(headers={"host": "localhost"}).get(path).status_code == 410
    assert _kinds(ada) == ["link.issued", "session.signed_in"]


def test_an_old_link_is_refused(client: Client, ada: User) -> None:
    path = _path(ada)
    SignInLink.objects.update(expires_at=timezone.now())
    assert client.get(path).status_code == 410
    assert not _signed_in(client)


@pytest.mark.parametrize(
    "request_of",
    [
        {"REMOTE_ADDR": "192.168.1.7"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_SEC_PURPOSE": "prefetch;prerender"},
        {"HTTP_PURPOSE": "prefetch"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
    ],
)
def test_a_request_that_is_not_the_persons_own_does_not_use_the_link_up(
    client: Client, ada: User, request_of: dict[str, Any]
) -> None:
    path = _path(ada)
    assert client.get(path, **request_of).status_code == 403
    assert client.head(path).status_code == 405
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("token", ["x", "%00", "a" * 3_000, "é", "..%2f"])
def test_a_made_up_link_is_refused_politely(client: Client, token: str) -> None:
    assert client.get(f"/sign-in/{token}/").status_code in {404, 410}


def test_the_link_of_a_disabled_person_is_refused(client: Client, ada: User) -> None:
    path = _path(ada)
    User.objects.update(is_active=False)
    assert client.get(path).status_code == 410


def test_only_the_digest_of_a_link_is_stored(ada: User) -> None:
    token = links.create(ada, actor="cli:test", now=timezone.now())
    assert token not in str(list(SignInLink.objects.values())) + str(list(AuditEvent.objects.values()))


def test_links_are_swept_a_day_after_they_expired(ada: User) -> None:
    links.create(ada, actor="cli:test", now=timezone.now() - timedelta(days=2))
    links.create(ada, actor="cli:test", now=timezone.now())
    assert SignInLink.objects.count() == 1


def test_who_came_by_link_may_set_a_first_password_and_then_needs_it(client: Client) -> None:
    admin = people.administrator("admin")
    client.get(_path(admin))
    fresh = {"new_password1": "a long enough phrase", "new_password2": "a long enough phrase"}
    assert client.post("/password/", fresh).status_code == 302
    assert _signed_in(client), "setting a password does not sign the person out"
    assert "password.changed" in _kinds(admin)
    again = client.post("/password/", dict.fromkeys(fresh, "another long phrase"))
    assert again.status_code == 200
    assert "old_password" in again.context["form"].errors


def test_a_short_password_is_refused(client: Client) -> None:
    client.force_login(people.administrator("admin"))
    response = client.post("/password/", {"new_password1": "short", "new_password2": "short"})
    assert response.context["form"].errors


def test_the_command_makes_the_first_administrator_without_a_password(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("login", "--url", "http://127.0.0.1:8123/")
    link = capsys.readouterr().out.strip()
    assert link.startswith("http://127.0.0.1:8123/sign-in/")
    assert client.get(urlsplit(link).path).status_code == 302
    admin = User.objects.get()
    assert (admin.username, admin.is_superuser, admin.has_usable_password()) == ("admin", True, False)
    assert list(admin.groups.all()) == [Group.objects.get(name="Admin")]


def test_the_command_never_makes_a_second_administrator() -> None:
    people.administrator("admin")
    with pytest.raises(CommandError, match="no active user 'eve'"):
        call_command("login", "--user", "eve")
    with pytest.raises(CommandError, match="not an address"):
        call_command("login", "--url", "nonsense")
