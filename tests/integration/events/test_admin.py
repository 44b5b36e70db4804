"""The pages of the admin for endpoints, deliveries and events."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from actions import secrets
from actions.models import Connection
from audit.models import AuditEvent
from dotdo_site.lib.admin import NAME_RULE
from tests.integration.pages.conftest import reader
from tests.support.documents import publish
from tests.support.listening import event, listener
from tests.support.webhooks import KEY, endpoint, signed
from workflows import operations
from workflows.models import Delivery, Endpoint, Workflow

__all__ = ["reader"]
pytestmark = pytest.mark.usefixtures("database")
ADD = "admin:workflows_endpoint_add"


@pytest.fixture
def admin(reader: Any) -> Client:
    client: Client = reader("Admin", staff=True)
    return client


def fields(**changed: Any) -> dict[str, Any]:
    connection, made = Connection.objects.get_or_create(name="shop")
    if made:
        secrets.set_secret(connection, KEY, actor="user:test")
    given = {
        "name": "shop", "style": "standard", "connection": connection.pk, "effect": "event", "event_type": "shop.order",
        "enabled": "on",
    }  # fmt: skip
    return given | changed


def test_an_endpoint_is_set_up_changed_and_recorded(admin: Client) -> None:
    assert admin.post(reverse(ADD), fields()).status_code == 302
    made = Endpoint.objects.get()
    page = reverse("admin:workflows_endpoint_change", args=[made.pk])
    assert operations.endpoint_url("shop") in admin.get(page).content.decode()
    assert admin.post(page, fields(enabled="")).status_code == 302
    trail = [json.loads(data) for data in AuditEvent.objects.filter(chain=made.pk).values_list("data", flat=True)]
    assert [each["enabled"] for each in trail] == [True, False]
    assert set(AuditEvent.objects.filter(chain=made.pk).values_list("actor", flat=True)) == {"user:admin"}


def test_an_endpoint_that_starts_needs_a_published_workflow_and_forgets_the_type(admin: Client) -> None:
    Workflow.objects.create(name="only-a-draft")
    publish("starts", "do: [{a: {set: {b: 1}}}]")
    page = admin.get(reverse(ADD)).content.decode()
    assert "starts" in page
    assert "only-a-draft" not in page
    workflow = Workflow.objects.get(name="starts")
    assert admin.post(reverse(ADD), fields(effect="start", workflow=workflow.pk)).status_code == 302
    made = Endpoint.objects.get()
    assert (made.workflow, made.event_type) == (workflow, "")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"event_type": ""}, "Give the type of the events."),
        ({"effect": "start"}, "Choose the workflow that is started."),
        ({"name": "Not A Name"}, NAME_RULE),
        ({"style": "none"}, "none is not one of the available choices"),
    ],
)
def test_what_is_missing_is_said_beside_the_field(admin: Client, changed: dict[str, str], message: str) -> None:
    answer = admin.post(reverse(ADD), fields(**changed))
    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("secret", ["", "whsec_not base64!"])
def test_an_endpoint_that_could_never_believe_anything_is_not_saved(admin: Client, secret: str) -> None:
    empty = Connection.objects.create(name="empty")
    if secret:
        secrets.set_secret(empty, secret, actor="user:test")
    answer = admin.post(reverse(ADD), fields(connection=empty.pk))
    assert "Nothing that comes in could be believed." in answer.content.decode()
    assert not Endpoint.objects.exists()


def test_the_log_leads_to_the_run_or_the_event(admin: Client) -> None:
    publish("starts", "do: [{a: {set: {b: 1}}}]")
    for door in (endpoint(), endpoint(name="starter", workflow="starts")):
        body, headers = signed("standard", {"a": 1})
        Client(headers={"host": "localhost"}).post(
            f"/hooks/e/{door.name}", body, content_type="application/json", headers=headers
        )
    page = admin.get(reverse("admin:workflows_delivery_changelist")).content.decode()
    event, run = Delivery.objects.get(run=None).event_id, Delivery.objects.get(event=None).run_id
    assert reverse("admin:workflows_event_change", args=[event]) in page
    assert reverse("run", args=[run]) in page


def test_endpoints_are_switched_off_and_never_deleted(admin: Client) -> None:
    door = endpoint()
    assert admin.post(reverse("admin:workflows_endpoint_delete", args=[door.pk]), {"post": "yes"}).status_code == 403


def test_deliveries_and_events_are_read_and_not_written(admin: Client) -> None:
    step = listener()
    delivered = operations.deliver_event(event(), actor="user:test", via="api", run_id=step.run_id)
    door = endpoint()
    body, headers = signed("standard", {"a": 1})
    Client(headers={"host": "localhost"}).post(
        f"/hooks/e/{door.name}", body, content_type="application/json", headers=headers
    )
    for model, shown in (("delivery", "accepted"), ("event", "com.example.paid")):
        page = admin.get(reverse(f"admin:workflows_{model}_changelist"))
        assert shown in page.content.decode()
        assert admin.post(reverse(f"admin:workflows_{model}_add")).status_code == 403
    change = reverse("admin:workflows_event_change", args=[delivered.event_id])
    assert f"/runs/{step.run_id}/" in admin.get(change).content.decode()
    assert admin.post(change, {"type": "other"}).status_code == 403


@pytest.mark.parametrize("role", ["Viewer", "Editor"])
def test_only_admins_set_up_endpoints(reader: Any, role: str) -> None:
    assert reader(role, staff=True).post(reverse(ADD), fields()).status_code == 403
    assert not Endpoint.objects.exists()


def test_a_connection_for_signatures_needs_no_host(admin: Client) -> None:
    given = {"name": "github", "allowed_hosts": "[]", "secret": "It's a Secret to Everybody", "parts": ""}
    assert admin.post(reverse("admin:actions_connection_add"), given).status_code == 302
    assert Connection.objects.get(name="github").allowed_hosts == []


def test_a_connection_is_told_what_a_name_is(admin: Client) -> None:
    given = {"name": "My Secret", "allowed_hosts": "[]", "secret": "x", "parts": ""}
    assert NAME_RULE in admin.post(reverse("admin:actions_connection_add"), given).content.decode()


def test_words_are_written_as_people_write_them(admin: Client) -> None:
    index = admin.get(reverse("admin:index")).content.decode()
    assert "Deliveries" in index
    assert not re.search(r">\s*\w+[b-df-hj-np-tv-z]ys\s*<", index)
    endpoint("github")
    for page in (reverse(ADD), reverse("admin:workflows_endpoint_changelist")):
        assert "GitHub" in admin.get(page).content.decode()
