"""Notifications never harm a run, tell nothing that is secret, and cost nothing where nothing fails."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from actions import secrets
from actions.models import Connection
from tests.integration.actions.post import Post
from tests.integration.actions.web import Web
from tests.integration.notifications.steps import REFUSED, deliver, text
from tests.support.documents import publish
from tests.support.engine import begin, start_action, start_workflow, state, work_until_idle
from workflows.models import Notice, Notification, NotificationRule, Run
from workflows.notifications.words import clean

Make = Callable[..., NotificationRule]
CANARY = "hunter2-canary"


@pytest.fixture
def broken(superuser: "psycopg.Connection[tuple[Any, ...]]") -> Iterator[None]:
    """Let nobody write a notice."""
    superuser.execute("ALTER TABLE notice ADD CONSTRAINT broken CHECK (false) NOT VALID")
    yield
    superuser.execute("ALTER TABLE notice DROP CONSTRAINT broken")


def test_a_run_is_parked_although_its_notice_cannot_be_written(handlers: None, broken: None) -> None:
    run = begin(REFUSED)
    work_until_idle()
    assert (state(run), Run.objects.get(pk=run).reason) == ("failed", "dead_letter")
    assert Notice.objects.count() == 0


def explained(update: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {update}")
        return "\n".join(row[0] for row in cursor.fetchall())


def test_the_trigger_is_called_by_a_failure_and_by_nothing_else(handlers: None) -> None:
    run = begin("do: [{rest: {wait: {hours: 1}}}]")
    work_until_idle()
    for values in ("state = 'running', reason = ''", "state = 'waiting', reason = 'timer'", "mail_seq = 7"):
        assert "run_noticed" not in explained(f"UPDATE run SET {values} WHERE id = '{run}'"), values
    failed = explained(f"UPDATE run SET state = 'failed', reason = 'x', stopped_at = now() WHERE id = '{run}'")
    assert "Trigger run_noticed: time=" in failed
    assert "run_noticed" not in explained(f"UPDATE run SET reason = 'y' WHERE id = '{run}'")
    assert Notice.objects.count() == 1


def test_secrets_and_inputs_are_in_no_message(mailbox: Post, server: Web, rule: Make) -> None:
    secrets.set_secret(Connection(name="shop", allowed_hosts=["x.example.com"]), CANARY, actor="user:test")
    rule(webhook=server.url("/hook"), email=["ops@example.com"])
    start_action("test-tell-and-fail", {"key": "k-e-y"}, title=f"password={CANARY}")
    publish("told", f"do: [{{a: {{call: test-says-no, with: {{message: 'token={CANARY} Bearer {CANARY}'}}}}}}]")
    start_workflow("told", {"password": CANARY, "card_number": CANARY})
    deliver()
    assert len(mailbox.mails) == 2
    everything = "".join(str(mail) for mail in mailbox.mails) + "".join(str(r.body) for r in server.requests)
    assert CANARY not in everything
    assert "told" in everything


def test_what_was_sent_is_not_kept(mailbox: Post, rule: Make) -> None:
    rule()
    begin(REFUSED)
    deliver()
    assert Notification.objects.get().content == {}


def test_text_of_others_is_one_line_without_control_characters_and_not_long() -> None:
    assert clean("a\r\nBcc: x@example.com\x1b[2J\u202eb") == "a Bcc: x@example.com [2J b"
    assert len(clean("x" * 5_000)) == 300


def test_a_hostile_message_adds_no_header(mailbox: Post, rule: Make) -> None:
    rule()
    title, detail = r"t\r\nBcc: evil@example.com", r"d\nSubject: x"
    error = f'{{type: "x:y", status: 400, title: "{title}", detail: "{detail}"}}'
    publish("told", f"do: [{{a: {{raise: {{error: {error}}}}}}}]")
    start_workflow("told", {})
    deliver()
    assert mailbox.envelopes == [["ops@example.com"]]
    assert mailbox.mails[0]["Bcc"] is None
    assert "t Bcc: evil@example.com: d Subject: x" in text(mailbox)


def test_a_message_that_fails_makes_no_notice(mailbox: Post, rule: Make) -> None:
    rule("dead_letter", "undo_failed", "chore_failed")
    mailbox.answers = {"RCPT": "550 unknown"}
    begin(REFUSED)
    for _ in range(3):
        deliver()
    assert Notification.objects.count() == 1
