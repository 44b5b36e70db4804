"""API keys: shown once, stored as a digest, useless when expired, revoked, or when their owner is gone."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditEvent
from dotdo_site.access import keys, scopes
from dotdo_site.access.models import ApiKey

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ada")


def test_a_key_is_recognised_by_its_plaintext_only(owner: User) -> None:
    key, plaintext = keys.issue("ci", owner, ["read"], actor="cli:test")
    assert keys.verify(plaintext, timezone.now()) == key
    secret = plaintext.rsplit("_", 1)[1]
    assert secret not in str(ApiKey.objects.filter(pk=key.pk).values())
    assert secret not in str(list(AuditEvent.objects.filter(chain=key.id).values()))


@pytest.mark.parametrize("change", ["", "x", " ", "\x00", "é"])
def test_anything_else_is_not_a_key(owner: User, change: str) -> None:
    _, plaintext = keys.issue("ci", owner, ["read"], actor="cli:test")
    wrong = plaintext[:-1] if not change else plaintext + change
    assert keys.verify(wrong, timezone.now()) is None
    assert keys.verify(plaintext[:-1] + ("a" if plaintext[-1] != "a" else "b"), timezone.now()) is None


def test_the_secret_of_one_key_does_not_open_another(owner: User) -> None:
    _, first = keys.issue("one", owner, ["read"], actor="cli:test")
    _, second = keys.issue("two", owner, ["read"], actor="cli:test")
    mixed = first.rsplit("_", 1)[0] + "_" + second.rsplit("_", 1)[1]
    assert keys.verify(mixed, timezone.now()) is None


def test_an_expired_key_is_refused(owner: User) -> None:
    key, plaintext = keys.issue("ci", owner, ["read"], actor="cli:test", expires_in=timedelta(days=1))
    assert keys.verify(plaintext, key.expires_at - timedelta(seconds=1))
    assert keys.verify(plaintext, key.expires_at) is None


def test_a_revoked_key_is_refused_at_once_and_revoking_is_recorded_once(owner: User) -> None:
    key, plaintext = keys.issue("ci", owner, ["read"], actor="cli:test")
    assert keys.revoke(key, actor="cli:test", reason="lost")
    assert not keys.revoke(key, actor="cli:test", reason="again")
    assert keys.verify(plaintext, timezone.now()) is None
    kinds = list(AuditEvent.objects.filter(chain=key.id).order_by("seq").values_list("kind", "reason"))
    assert kinds == [("key.issued", ""), ("key.revoked", "lost")]


def test_the_key_of_a_disabled_person_is_refused(owner: User) -> None:
    _, plaintext = keys.issue("ci", owner, ["read"], actor="cli:test")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert keys.verify(plaintext, timezone.now()) is None


def test_another_pepper_makes_stolen_digests_useless(owner: User, settings: object) -> None:
    _, plaintext = keys.issue("ci", owner, ["read"], actor="cli:test")
    settings.API_KEY_PEPPER = "another" * 8  # type: ignore[attr-defined]
    assert keys.verify(plaintext, timezone.now()) is None


@pytest.mark.parametrize("life", [timedelta(0), timedelta(days=-1), timedelta(days=367)])
def test_a_key_for_ever_or_for_no_time_is_refused(owner: User, life: timedelta) -> None:
    with pytest.raises(keys.KeyRefused):
        keys.issue("ci", owner, ["read"], actor="cli:test", expires_in=life)


def test_a_refused_key_leaves_nothing_behind(owner: User) -> None:
    with pytest.raises(scopes.UnknownScope):
        keys.issue("ci", owner, ["reed"], actor="cli:test")
    assert not ApiKey.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_last_use_is_written_once_a_minute(owner: User) -> None:
    key, _ = keys.issue("ci", owner, ["read"], actor="cli:test")
    for seconds, expected in ((0, 0), (30, 0), (60, 60)):
        key.refresh_from_db()
        keys.note_use(key, NOW + timedelta(seconds=seconds))
        key.refresh_from_db()
        assert key.last_used_at == NOW + timedelta(seconds=expected)


def test_the_command_prints_the_key_alone_and_can_revoke_it(owner: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("api_key", "create", "demo", "--owner", "ada", "--scope", "read", "--scope", "retry")
    plaintext = capsys.readouterr().out.strip()
    key = keys.verify(plaintext, timezone.now())
    assert key is not None
    assert key.scopes == ["read", "retry"]
    call_command("api_key", "list")
    assert key.prefix in capsys.readouterr().out
    call_command("api_key", "revoke", key.prefix, "--reason", "done")
    assert keys.verify(plaintext, timezone.now()) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "x", "--owner", "nobody", "--scope", "read"],
        ["create", "x", "--owner", "ada", "--scope", "everything"],
        ["create", "x", "--owner", "ada", "--scope", "read", "--days", "9999"],
        ["create", " ", "--owner", "ada", "--scope", "read"],
        ["revoke", "nothing1"],
    ],
)
def test_the_command_says_what_is_wrong(owner: User, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("api_key", *arguments)
