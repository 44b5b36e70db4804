"""Whatever people and machines write is shown as text: markup, htmx attributes, script ends, direction overrides."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from workflows import operations
from workflows.models import Notification, NotificationMute, NotificationRule, Step

Reader = Callable[..., Client]
HOSTILE = "<img src=x onerror=alert(1)><div hx-get='/x' hx-trigger=load></div></script>\u202egnp.exe{{ 7|add:7 }}\"'&"
LOOSE = re.compile(r"<img src=x|<div hx-get='/x'|</script>\u202e|[^=]\"'&\"", re.IGNORECASE)


def check(page: str) -> None:
    assert not LOOSE.search(page)
    assert "<img" not in page
    assert "hx-get='/x'" not in page


@pytest.mark.parametrize("view", ["timeline", "graph", "events", "io", "logs", "related"])
def test_every_field_of_a_run_stays_text(reader: Reader, handlers: None, view: str) -> None:
    publish("hostile", """
do:
  - echo: {call: test-echo, with: {value: "${ . }"}, export: {as: "${ {all: .} }"}}
  - say: {call: test-speaks, with: {password: ok}}
  - fail: {call: test-refuses, with: {code: "${ $workflow.input.h }"}}
""")  # fmt: skip
    run_id = start_workflow("hostile", {"h": HOSTILE, HOSTILE: [HOSTILE]}, title=HOSTILE[:200], tags=[HOSTILE[:100]])
    work_until_idle()
    client = reader("Auditor")
    page = client.get(f"/runs/{run_id}/?view={view}").content.decode()
    check(page)
    assert "&lt;img src=x onerror" in page
    for path in ("/", "/runs/", f"/runs/{run_id}/?view={view}&step={HOSTILE}"):
        check(client.get(path).content.decode())


def test_a_direction_override_in_a_value_is_written_out(reader: Reader, handlers: None) -> None:
    publish("plain", "do:\n  - one: {call: test-echo, with: {value: 1}}\n")
    run_id = start_workflow("plain", {"h": "\u202egnp.exe"})
    page = reader().get(f"/runs/{run_id}/?view=io").content.decode()
    assert "\u202e" not in page
    assert "u202egnp.exe" in page


def test_what_is_asked_for_is_shown_as_text(reader: Reader, handlers: None) -> None:
    client = reader()
    for key in ("q", "name", "tag", "status", "after", "view"):
        check(client.get(f"/runs/?{urlencode({key: HOSTILE})}").content.decode())
    check(client.get(f"/datastore/?{urlencode({'prefix': HOSTILE, 'namespace': HOSTILE})}").content.decode())
    check(client.get(f"/datastore/entry/?{urlencode({'key': HOSTILE})}").content.decode())
    check(client.get(f"/nothing/{urlencode({'a': HOSTILE})}").content.decode())


def test_an_entry_and_what_is_typed_over_it_stay_text(reader: Reader, handlers: None) -> None:
    operations.put_entry("default", HOSTILE, {"v": HOSTILE}, expected_version=0, actor="user:test")
    client = reader()
    path = f"/datastore/entry/?{urlencode({'namespace': 'default', 'key': HOSTILE})}"
    for page in (client.get("/datastore/"), client.get(path), client.post(path, {"value": HOSTILE, "version": "1"})):
        check(page.content.decode())


def test_approvals_events_and_skips_stay_text(reader: Reader, handlers: None) -> None:
    publish("ask", """
do:
  - ask:
      call: approval
      with:
        title: "${ .h[:150] }"
        description: "${ .h }"
        form: '${ {type: "object", properties: {a: {type: "string", title: .h, description: .h}}} }'
""")  # fmt: skip
    run_id = start_workflow("ask", {"h": HOSTILE}, title=HOSTILE[:200])
    work_until_idle()
    client, step = reader(), Step.objects.get(run=run_id)
    operations.deliver_event(
        {"specversion": "1.0", "id": "1", "source": "/x", "type": HOSTILE.replace("\u202e", "."), "data": HOSTILE},
        actor="user:test", via="api", run_id=run_id,
    )  # fmt: skip
    answer, event = f"/approvals/{run_id}/{step.id}/", f"/runs/{run_id}/event/"
    for path in (
        "/approvals/", answer, event, f"/runs/{run_id}/?view=io", f"/runs/{run_id}/?step={step.id}",
        f"/runs/{run_id}/steps/{step.id}/skip/", f"/runs/{run_id}/suspend/", f"{event}?{urlencode({'type': HOSTILE})}",
    ):  # fmt: skip
        page = client.get(path)
        assert page.status_code == 200, path
        check(page.content.decode())
    check(client.post(answer, {"/a": HOSTILE, "do": HOSTILE, "reason": HOSTILE}).content.decode())
    check(client.post(event, {"id": HOSTILE, "type": HOSTILE, "data": HOSTILE, "reason": HOSTILE}).content.decode())
    skip = f"/runs/{run_id}/steps/{step.id}/skip/"
    check(client.post(skip, {"output": HOSTILE, "reason": HOSTILE}).content.decode())


def test_a_form_shows_what_was_typed_as_text(reader: Reader, handlers: None) -> None:
    client = reader()
    for data in (
        {"/code": HOSTILE, "do": "check", "option:title": HOSTILE},
        {"tab": "json", "json": HOSTILE, "do": HOSTILE},
    ):
        check(client.post("/actions/test-refuses/start/", data).content.decode())


def test_mutes_messages_and_preferences_stay_text(reader: Reader, handlers: None) -> None:
    publish("loud", "do: [{one: {call: test-refuses}}]")
    run_id = start_workflow("loud", {}, title=HOSTILE[:200])
    work_until_idle()
    later = timezone.now() + timedelta(hours=1)
    operations.mute("run", str(run_id), later, actor="user:<img src=x>", reason=HOSTILE)
    NotificationRule.objects.create(
        name=HOSTILE[:100], kinds=["run_failed"], email=["a@example.com"], muted_until=later
    )
    sent = Notification.objects.create(
        channel="email", address=HOSTILE[:100], kind="run_failed", definition=HOSTILE[:100], because=HOSTILE[:100],
        error=HOSTILE, state="dead", due_at=later, created_at=later, ended_at=later,
    )  # fmt: skip
    client = reader()
    page = client.get("/notifications/").content.decode()
    assert "&lt;img src=x onerror" in page
    assert "\u202e" not in page
    mute = NotificationMute.objects.get()
    for path in ("/notifications/", f"/notifications/mutes/{mute.pk}/end/", f"/notifications/{sent.pk}/resend/"):
        check(client.get(path).content.decode())
    typed = {"subject": HOSTILE, "name": HOSTILE, "hours": HOSTILE, "reason": HOSTILE}
    check(client.post("/notifications/mute/", typed).content.decode())
    check(client.post("/preferences/", {"timezone": HOSTILE, "theme": HOSTILE, "refresh": HOSTILE}).content.decode())
