"""The page, the API and the admin: who sees what, and what they change."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from actions import secrets
from actions.models import Connection
from audit.models import AuditEvent
from tests.integration.actions.post import Post
from tests.integration.actions.web import Web
from tests.integration.notifications.steps import REFUSED, deliver, states
from tests.support.engine import begin
from tests.support.pages import person
from workflows import operations
from workflows.models import Notification, NotificationMute, NotificationRule
from workflows.notifications import chores

Make = Callable[..., NotificationRule]


@pytest.fixture
def operator(handlers: None) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(person("Operator"))
    return client


@pytest.fixture
def admin(handlers: None) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(person("Admin", staff=True))
    return client


def call(client: Client, method: str, path: str, body: Any = None) -> Any:
    raw = b"" if body is None else json.dumps(body).encode()
    return client.generic(method, f"/api/v1/{path}", raw, content_type="application/json")


@pytest.fixture
def dead(mailbox: Post, rule: Make) -> Notification:
    """A message that the mail server refused for good."""
    rule()
    mailbox.answers = {"RCPT": "550 <b>unknown</b>"}
    begin(REFUSED)
    deliver()
    mailbox.answers = {}
    return Notification.objects.get()


def test_the_page_shows_what_did_not_arrive_and_why_as_text(operator: Client, dead: Notification) -> None:
    page = operator.get("/notifications/").content.decode()
    for part in ("ops@example.com", "smtp_550", "&lt;b&gt;unknown", "the rule rule 0", "Send again"):
        assert part in page, part
    assert operator.get("/notifications/?state=sent").content.decode().count("No message is sent") == 1
    assert operator.get("/notifications/?after=nonsense").status_code == 200
    assert "1<span" in operator.get("/runs/").content.decode()  # the number in the navigation


def test_a_message_is_sent_again_from_the_page_with_a_reason(
    operator: Client, dead: Notification, mailbox: Post
) -> None:
    address = f"/notifications/{dead.pk}/resend/"
    assert "550" in operator.get(address).content.decode()
    assert operator.post(address, {"reason": " "}).status_code == 422
    assert operator.post(address, {"reason": "the address exists now"}).status_code == 303
    chores.send()
    assert (states(), len(mailbox.mails)) == (["sent"], 1)
    assert AuditEvent.objects.get(kind="notification.resent").reason == "the address exists now"
    operator.post(address, {"reason": "once more"})
    again = operator.get("/notifications/").content.decode()
    assert "Nothing was done: Only messages that did not arrive are sent again" in again


def test_a_message_that_waits_for_its_next_attempt_is_sent_now(
    operator: Client, dead: Notification, mailbox: Post
) -> None:
    later = dead.created_at + timedelta(hours=9)
    Notification.objects.update(state="waiting", attempts=3, due_at=later, ended_at=None)
    address = f"/notifications/{dead.pk}/resend/"
    assert "Send now" in operator.get("/notifications/").content.decode()
    assert "Send this message now?" in operator.get(address).content.decode()
    Notification.objects.update(lease_expires_at=later)
    operator.post(address, {"reason": "now"})
    assert "being sent at this moment" in operator.get("/notifications/").content.decode()
    Notification.objects.update(lease_expires_at=None)
    assert operator.post(address, {"reason": "the server is back"}).status_code == 303
    assert Notification.objects.get().attempts == 3
    chores.send()
    assert (states(), len(mailbox.mails)) == (["sent"], 1)
    assert AuditEvent.objects.get(kind="notification.resent").reason == "the server is back"


def test_operators_mute_from_the_page_of_a_run_and_end_it(operator: Client, mailbox: Post) -> None:
    run = begin(REFUSED)
    deliver()
    link = f"/notifications/mute/?subject=run&amp;name={run}"
    assert link in operator.get(f"/runs/{run}/").content.decode()
    assert str(run) in operator.get(link.replace("&amp;", "&")).content.decode()
    form = {"subject": "run", "name": str(run), "hours": "24", "reason": "known"}
    assert operator.post("/notifications/mute/", form).status_code == 303
    made = NotificationMute.objects.get()
    assert made.until - made.created_at > timedelta(hours=23)
    assert str(run) in operator.get("/notifications/").content.decode()
    end = f"/notifications/mutes/{made.pk}/end/"
    assert operator.get(end).status_code == 200
    assert operator.post(end, {"reason": "repaired"}).status_code == 303
    assert not NotificationMute.objects.exists()
    assert operator.get(end).status_code == 404


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"subject": "planet"}, "Choose a rule"),
        ({"name": ""}, "Give the name"),
        ({"name": "nothing"}, "There is no published definition called nothing"),
        ({"name": "x\x00y"}, ""),
        ({"hours": "5000"}, "Choose for how long"),
        ({"reason": ""}, "Say why"),
    ],
)
def test_a_mute_that_cannot_be_says_why_beside_the_field(operator: Client, changed: Any, words: str) -> None:
    form = {"subject": "definition", "name": "test-echo", "hours": "1", "reason": "x", **changed}
    answer = operator.post("/notifications/mute/", form)
    assert answer.status_code in (400, 422)
    assert words in answer.content.decode()
    assert not NotificationMute.objects.exists()


def test_a_viewer_sees_neither_the_page_nor_the_number(dead: Notification) -> None:
    client = Client(headers={"host": "localhost"})
    client.force_login(person("Viewer"))
    assert client.get("/notifications/").status_code == 403
    assert "/notifications/" not in client.get("/runs/").content.decode()


def test_the_api_lists_repeats_and_mutes(operator: Client, dead: Notification, mailbox: Post) -> None:
    (shown,) = call(operator, "GET", "notifications?state=dead").json()["items"]
    assert (shown["id"], shown["count"], shown["channel"]) == (str(dead.pk), 1, "email")
    assert call(operator, "GET", "notifications?state=lost").status_code == 400
    assert call(operator, "POST", f"notifications/{dead.pk}/retries", {}).status_code == 422
    again = call(operator, "POST", f"notifications/{dead.pk}/retries", {"reason": "x"})
    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    assert call(operator, "POST", f"notifications/{dead.pk}/retries", {"reason": "x"}).status_code == 409
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"subject": "definition", "name": "story", "until": until, "reason": "known"}
    made = call(operator, "POST", "mutes", body)
    assert (made.status_code, made.json()["by"]) == (201, "user:operator")
    assert call(operator, "POST", "mutes", {**body, "name": "nothing"}).status_code == 404
    assert call(operator, "POST", "mutes", {**body, "until": "2026-01-01T00:00:00Z"}).status_code == 409
    assert call(operator, "POST", "mutes", {"subject": "x", "until": 5}).status_code == 422
    assert [row["name"] for row in call(operator, "GET", "mutes").json()] == ["story"]
    chores.send()
    assert (states(), mailbox.mails) == (["dropped"], [])
    assert call(operator, "POST", f"mutes/{made.json()['id']}/end", {"reason": "over"}).json() == []
    assert call(operator, "POST", f"mutes/{made.json()['id']}/end", {"reason": "over"}).status_code == 404


def test_pages_of_messages_lead_to_each_other(operator: Client, rule: Make, mailbox: Post) -> None:
    rule(email=[f"ops{number}@example.com" for number in range(5)])
    begin(REFUSED)
    deliver()
    first = call(operator, "GET", "notifications?limit=2").json()
    second = operator.get(first["next"]).json()
    assert operator.get(second["previous"]).json()["items"] == first["items"]
    seen = [row["address"] for page in (first, second) for row in page["items"]]
    assert len(set(seen)) == 4


FORM = {
    "name": "Failures", "enabled": "on", "kinds": ["dead_letter"], "definitions": "billing-*  onboarding",
    "queues": "*", "after_seconds": "900", "email": "ops@example.com\ndev@example.com, ops@example.com", "webhook": "",
    "connection": "", "group_seconds": "600",
}  # fmt: skip


def test_an_administrator_sets_up_a_rule_and_tries_it(admin: Client, mailbox: Post) -> None:
    answer = admin.post("/admin/workflows/notificationrule/add/", FORM)
    assert answer.status_code == 302, answer.content.decode()
    made = NotificationRule.objects.get()
    assert (made.definitions, made.email) == ("billing-*, onboarding", ["ops@example.com", "dev@example.com"])
    event = AuditEvent.objects.get(kind="notification.rule_changed")
    assert event.actor == "user:admin"
    page = admin.get(f"/admin/workflows/notificationrule/{made.pk}/change/").content.decode()
    assert "ops@example.com\ndev@example.com" in page
    tried = {"action": "send_test", "_selected_action": [str(made.pk)]}
    shown = admin.post("/admin/workflows/notificationrule/", tried, follow=True).content.decode()
    assert "2 test messages will go out" in shown
    chores.send()
    assert len(mailbox.mails) == 2
    assert admin.get("/admin/workflows/notification/").status_code == 200
    assert admin.post(f"/admin/workflows/notificationrule/{made.pk}/delete/").status_code == 403


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"email": ""}, "Give an e-mail address here, or a webhook below."),
        ({"email": "nobody"}, "nobody is not an e-mail address."),
        ({"kinds": []}, "This field is required."),
        ({"definitions": "a/b"}, "a/b is no name"),
        ({"webhook": "ftp://x"}, "Give an address such as"),
        ({"webhook": "https://x.example.com/hook"}, "Choose what signs it."),
        ({"after_seconds": "-1"}, "greater than or equal to 0"),
    ],
)
def test_a_rule_that_could_tell_nobody_is_refused(admin: Client, changed: Any, words: str) -> None:
    answer = admin.post("/admin/workflows/notificationrule/add/", {**FORM, **changed})
    assert (answer.status_code, words in answer.content.decode()) == (200, True)
    assert not NotificationRule.objects.exists()


def test_a_webhook_needs_a_secret_that_can_sign(admin: Client, server: Web) -> None:
    connection = Connection.objects.get(name="hooks")
    form = {**FORM, "webhook": server.url("/hook"), "connection": str(connection.pk)}
    secrets.set_secret(connection, "whsec_***", actor="user:test")
    assert (
        "no secret for Standard Webhooks" in admin.post("/admin/workflows/notificationrule/add/", form).content.decode()
    )


def test_an_operator_reads_rules_but_for_the_paths_of_webhooks_and_changes_none(server: Web, rule: Make) -> None:
    made = rule(webhook=server.url("/SECRET"))
    client = Client(headers={"host": "localhost"})
    client.force_login(person("Operator", staff=True))
    shown = client.get(f"/admin/workflows/notificationrule/{made.pk}/change/")
    assert (shown.status_code, "127.0.0.1" in shown.content.decode()) == (200, True)
    assert "SECRET" not in shown.content.decode()
    assert client.post(f"/admin/workflows/notificationrule/{made.pk}/change/", FORM).status_code == 403
    tried = {"action": "send_test", "_selected_action": [str(made.pk)]}
    client.post("/admin/workflows/notificationrule/", tried)
    assert not Notification.objects.exists()


def test_a_draft_of_an_action_says_whom_to_tell(admin: Client) -> None:
    draft = {
        "name": "told", "kind": "http", "config": {"method": "GET", "url": "https://x.example.com/"},
        "notify": {"email": "ops@example.com"},
    }  # fmt: skip
    assert call(admin, "POST", "actions", draft).status_code == 201
    published = call(admin, "POST", "actions/told/versions/1.0.0/publication", {"reason": "x"})
    assert published.status_code == 200
    notify = call(admin, "GET", "actions/told").json()["notify"]
    assert notify == {"on": ["dead_letter", "undo_failed"], "email": ["ops@example.com"]}
    wrong = call(admin, "POST", "actions", {**draft, "version": "1.1.0", "notify": {"email": "nobody"}})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/notify/email")


def test_a_document_that_tells_nobody_is_refused_at_that_place(admin: Client) -> None:
    source = (
        "document: {dsl: 1.0.3, namespace: t, name: x, version: 1.0.0, metadata: {dotdo: {notify: {on: [dead_leter], "
        "email: [nobody], webhok: x}}}}\ndo: [{a: {set: {b: 1}}}]"
    )
    found = call(admin, "POST", "workflows/validate", {"source": source}).json()["problems"]
    place = "/document/metadata/dotdo/notify"
    assert {problem["pointer"] for problem in found} == {f"{place}/on/0", f"{place}/email/0", f"{place}/webhok"}
    assert any("dead_letter" in problem["suggestion"] for problem in found)


def test_a_mute_that_is_over_when_it_is_shown_was_made_all_the_same(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = operations.mute

    def slow(*args: Any, **values: Any) -> Any:
        made = real(*args, **values)
        time.sleep(0.5)
        return made

    monkeypatch.setattr(operations, "mute", slow)
    until = datetime.now(UTC) + timedelta(seconds=0.4)
    body = {"subject": "definition", "name": "test-echo", "until": until.isoformat(), "reason": "known"}
    made = call(operator, "POST", "mutes", body)
    assert (made.status_code, made.json()["name"], made.json()["by"]) == (201, "test-echo", "user:operator")


def test_what_somebody_else_ended_at_this_moment_is_answered_with_words(
    operator: Client, dead: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.mute("definition", "story", datetime.now(UTC) + timedelta(days=1), actor="user:ann", reason="known")
    muted = NotificationMute.objects.get()
    for name, row, path in (
        ("unmute", muted, f"/notifications/mutes/{muted.pk}/end/"),
        ("resend", dead, f"/notifications/{dead.pk}/resend/"),
    ):
        real = getattr(operations, name)

        def late(pk: Any, *, real: Any = real, row: Any = row, **by: Any) -> Any:
            type(row).objects.filter(pk=pk).delete()
            return real(pk, **by)

        monkeypatch.setattr(operations, name, late)
        assert operator.post(path, {"reason": "x"}).status_code == 303
        assert "Nothing was done: There is no " in operator.get("/notifications/").content.decode()


def test_a_message_that_has_nothing_left_to_tell_is_not_sent_again(operator: Client, dead: Notification) -> None:
    run = dead.items.get().notice.run
    assert run is not None
    operations.resolve(run, actor="user:ann", reason="settled")
    answer = call(operator, "POST", f"notifications/{dead.pk}/retries", {"reason": "x"})
    assert (answer.status_code, "nothing left to tell" in answer.json()["detail"]) == (409, True)
    assert states() == ["dead"]


def test_the_path_of_a_webhook_is_shown_to_nobody_who_reads_messages(
    operator: Client, admin: Client, server: Web, rule: Make
) -> None:
    rule(webhook=server.url("/status/500/SECRET"))
    begin(REFUSED)
    deliver()
    message = Notification.objects.get()
    shown = call(operator, "GET", "notifications").json()["items"][0]["address"]
    assert shown.startswith(f"http://127.0.0.1:{server.port} (")
    pages = [operator.get(path) for path in ("/notifications/", f"/notifications/{message.pk}/resend/")]
    pages += [admin.get(f"/admin/workflows/notification/{path}") for path in ("", f"{message.pk}/change/")]
    for page in pages:
        assert page.status_code == 200
        assert "127.0.0.1" in page.content.decode()
        assert "SECRET" not in page.content.decode()
