"""What cannot be told, because of what a definition says, costs nothing of what can."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.actions.post import Post
from tests.integration.actions.web import Web
from tests.integration.notifications.steps import REFUSED, deliver
from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, work_until_idle
from workflows.models import Notice, Notification, NotificationRule
from workflows.notifications import chores, matching, recipients

Make = Callable[..., NotificationRule]
HOOK = {"on": ["dead_letter"], "webhook": "https://example.com/x", "connection": "hooks"}


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a version of an action, which is never changed, say what an older code let through."""

    def say(**notify: Any) -> None:
        real = recipients._notify

        def read(kind: str, version: Any) -> Any:
            label, found = real(kind, version)
            return label, {**HOOK, **notify} if label.startswith("test-owned") else found

        monkeypatch.setattr(recipients, "_notify", read)

    return say


def fail_both() -> None:
    publish("story", REFUSED)
    start_action("test-owned", {})
    start_workflow("story", {})
    work_until_idle()


def test_a_definition_whose_address_is_too_long_stops_no_other_notification(
    mailbox: Post, rule: Make, says: Callable[..., None]
) -> None:
    rule()
    says(webhook="https://example.com/" + "x" * 600)
    fail_both()
    chores.send()
    assert sorted(str(mail["Subject"]) for mail in mailbox.mails) == [
        "[dotdo] story failed at charge",
        "[dotdo] test-owned failed at test-owned",
    ]
    assert not Notice.objects.filter(state="new").exists()
    assert matching.match() == 0


def test_a_definition_that_cannot_be_read_stops_no_other_notification(
    mailbox: Post, rule: Make, says: Callable[..., None]
) -> None:
    rule()
    says(webhook="", email=5)
    fail_both()
    chores.send()
    assert len(mailbox.mails) == 2
    assert matching.match() == 0


def test_the_name_of_a_connection_that_is_too_long_is_on_the_page_as_what_did_not_arrive(
    mailbox: Post, server: Web, rule: Make, says: Callable[..., None]
) -> None:
    says(webhook=server.url("/hook"), connection="h" * 64)
    start_action("test-owned", {})
    deliver()
    assert "no secret that can be read" in Notification.objects.get(channel="webhook").error
    assert server.requests == []
