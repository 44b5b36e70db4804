"""One receiver that hangs costs the others a part of a round now and then, not every round."""

import time
from collections.abc import Callable

import pytest

from tests.integration.actions.post import Post
from tests.integration.actions.web import Web
from tests.integration.notifications.steps import REFUSED, due_now, states
from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from workflows.models import Notification, NotificationRule
from workflows.notifications import chores, matching, sending

Make = Callable[..., NotificationRule]


@pytest.fixture(autouse=True)
def nobody_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_slow", {})
    monkeypatch.setattr(sending, "SLOW_SECONDS", 1.0)


def fail_of(*names: str) -> None:
    for name in names:
        start_workflow(publish(name, REFUSED), {})
    work_until_idle()
    matching.match()


def test_a_receiver_that_hangs_is_left_alone_for_a_while(mailbox: Post, server: Web, rule: Make) -> None:
    rule(webhook=server.url("/silence"), definitions="many-*")
    fail_of(*(f"many-{number}" for number in range(9)))
    assert sending.send_due() == sending.EACH
    rule(email=["late@example.com"], definitions="other")
    fail_of("other")
    due_now()
    began = time.monotonic()
    chores.send()
    assert time.monotonic() - began < 2
    assert mailbox.envelopes == [["late@example.com"]]
    assert len(server.requests) == sending.EACH
    sending._slow[server.url("/silence")] = time.monotonic() - 1
    assert sending.send_due() == sending.EACH


def test_a_mail_server_with_many_mails_leaves_room_for_webhooks(mailbox: Post, server: Web, rule: Make) -> None:
    rule(email=[f"ops{number}@example.com" for number in range(20)], definitions="many")
    fail_of("many")
    rule(webhook=server.url("/hook"), definitions="other")
    fail_of("other")
    Notification.objects.filter(channel="email").update(due_at="2026-01-01T00:00:00Z")
    assert sending.send_due() == sending.BATCH // 2 + 1
    assert len(server.requests) == 1


def test_many_messages_to_one_address_go_out_in_one_round_of_the_chore(mailbox: Post, rule: Make) -> None:
    rule()
    fail_of(*(f"many-{number}" for number in range(9)))
    chores.send()
    assert (len(mailbox.mails), set(states())) == (9, {"sent"})
