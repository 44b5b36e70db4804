"""Connections as people and operators handle them: screens that show no secret, keys that come and go."""

import base64
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from actions import sealing, secrets
from actions.checks import check_stored_secrets
from actions.models import Connection
from audit.models import AuditEvent
from tests.support.pages import person

pytestmark = pytest.mark.django_db
OLD, NEW = (f"k{n}:" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
FORM = {"name": "crm", "description": "", "allowed_hosts": '["api.example.com"]', "secret": "", "parts": ""}


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(person("Admin", staff=True), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def stored(settings: Settings) -> Connection:
    settings.SECRETS_KEYS = [OLD]
    connection = Connection(name="shop", allowed_hosts=["api.example.com"])
    secrets.set_secret(connection, "canary-1", actor="test")
    return connection


def test_a_secret_of_several_parts_goes_in_and_only_the_names_come_out(admin: Client) -> None:
    parts = {"username": "ann", "password": "canary-2"}
    response = admin.post(reverse("admin:actions_connection_add"), {**FORM, "parts": json.dumps(parts)})
    assert response.status_code == 302, response.content.decode()
    connection = Connection.objects.get()
    assert secrets.parts_of(connection) == parts
    for url in (
        reverse("admin:actions_connection_change", args=[connection.pk]),
        reverse("admin:actions_connection_history", args=[connection.pk]),
        reverse("admin:actions_connection_changelist"),
        reverse("admin:audit_auditevent_changelist"),
    ):
        page = admin.get(url).content.decode()
        assert "canary-2" not in page
        assert connection.ciphertext not in page
    assert "password, username" in admin.get(
        reverse("admin:actions_connection_change", args=[connection.pk])
    ).content.decode()  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"secret": "canary-3", "parts": '{"token": "canary-3"}'},
        {"parts": '{"token": 7}'},
        {"parts": '{"a b": "canary-3"}'},
        {"parts": '{"a": "canary-3"'},
        {"parts": '["canary-3"]'},
        {"secret": "canary-3", "allowed_hosts": "[7]"},
        {"secret": "canary-3", "allowed_hosts": '["https://a.example/"]'},
        {"parts": '{"token": "canary-3"}', "name": "Not A Name"},
    ],
)
def test_a_form_that_is_refused_does_not_repeat_the_secret(admin: Client, given: dict[str, str]) -> None:
    response = admin.post(reverse("admin:actions_connection_add"), {**FORM, **given})
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert "canary-3" not in response.content.decode()
    assert not Connection.objects.exists()


def test_a_secret_that_lost_its_key_says_so_on_its_page(admin: Client, stored: Connection, settings: Settings) -> None:
    settings.SECRETS_KEYS = [NEW]
    page = admin.get(reverse("admin:actions_connection_change", args=[stored.pk])).content.decode()
    assert "unreadable: its key &#x27;k1&#x27; is not in SECRETS_KEYS" in page


def test_the_workers_do_not_start_while_a_key_is_missing(stored: Connection, settings: Settings) -> None:
    assert check_stored_secrets(databases=["default"]) == []
    settings.SECRETS_KEYS = [NEW, OLD]
    assert check_stored_secrets(databases=["default"]) == []
    settings.SECRETS_KEYS = [NEW]
    assert [message.id for message in check_stored_secrets(databases=["default"])] == ["dotdo.E006"]
    assert check_stored_secrets() == []
    for command in (["check", "--database", "default"], ["cluster"]):
        with pytest.raises(SystemCheckError, match=r"(?s)dotdo\.E006.*need keys.*k1"):
            call_command(*command)


def test_a_lost_key_can_be_got_over(stored: Connection, settings: Settings) -> None:
    settings.SECRETS_KEYS = [NEW]
    other = Connection(name="fine", allowed_hosts=["api.example.com"])
    secrets.set_secret(other, "canary-4", actor="test")
    with pytest.raises(CommandError, match="shop: its key 'k1' is not in SECRETS_KEYS"):
        call_command("rotate_secrets")
    call_command("rotate_secrets", "--drop-unreadable")
    assert check_stored_secrets(databases=["default"]) == []
    stored.refresh_from_db()
    assert stored.ciphertext == ""
    assert secrets.parts_of(other) == {"token": "canary-4"}
    changed = AuditEvent.objects.filter(chain=stored.pk, kind="connection.changed").order_by("seq").last()
    assert changed is not None
    assert (changed.actor, json.loads(changed.data)["parts"]) == ("command:rotate_secrets", [])


def test_a_key_of_the_same_name_with_another_value_reads_nothing(stored: Connection, settings: Settings) -> None:
    settings.SECRETS_KEYS = ["k1:" + NEW[3:]]
    with pytest.raises(sealing.CannotDecrypt):
        secrets.parts_of(stored)
    with pytest.raises(CommandError, match="its key has another value"):
        call_command("rotate_secrets")


def test_no_role_but_the_admins_sees_connections(stored: Connection) -> None:
    statuses: dict[str, Any] = {}
    for role in ("Viewer", "Operator", "Editor", "Auditor"):
        client = Client()
        client.force_login(person(role, staff=True), backend="django.contrib.auth.backends.ModelBackend")
        statuses[role] = client.get(reverse("admin:actions_connection_changelist")).status_code
    assert set(statuses.values()) == {403}
