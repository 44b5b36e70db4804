"""What the chores of notifications cost stays bounded, and one part that fails costs no other."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from actions.models import Connection
from audit.models import AuditEvent
from tests.integration.actions.post import Post
from tests.integration.notifications.steps import REFUSED, deliver, publish_with
from tests.integration.notifications.test_lasting import ASK, LISTEN, age
from tests.support.documents import publish
from tests.support.engine import begin, start_workflow, work_until_idle
from workflows import operations
from workflows.models import Chore, Notice, NotificationRule
from workflows.notifications import channels, chores, matching, sending, watching
from workflows.sql import Statement

Make = Callable[..., NotificationRule]
OWN = "notify: {on: [waiting_too_long], after: {hours: 1}, email: [boss@example.com]}"


def test_many_versions_that_ask_are_one_look_at_what_waits(mailbox: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        start_workflow(publish_with(f"story-{number}", LISTEN if number % 2 else ASK, OWN), {})
    work_until_idle()
    age(2)
    looks, original = [], Statement.rows

    def rows(self: Statement, values: Any = None) -> Any:
        looks.append(self)
        return original(self, values)

    monkeypatch.setattr(Statement, "rows", rows)
    chores.watch()
    assert len([look for look in looks if look in watching._WAITS]) == len(watching._WAITS)
    assert set(Notice.objects.values_list("definition", flat=True)) == {f"story-{number}" for number in range(4)}
    chores.watch()
    assert Notice.objects.count() == 4


@pytest.mark.parametrize("seconds", [60.0, 0.0])
def test_a_walk_through_many_waits_goes_on_where_it_stopped(
    mailbox: Post, rule: Make, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(watching, "PAGE", 2)
    monkeypatch.setattr(watching, "WALK_SECONDS", seconds)
    rule("waiting_too_long", after_seconds=60)
    publish("story", LISTEN)
    for _ in range(5):
        start_workflow("story", {})
    work_until_idle()
    age(2)
    counts = []
    for _ in range(3):
        chores.watch()
        counts.append(Notice.objects.count())
    assert counts == ([5, 5, 5] if seconds else [2, 4, 5])
    assert {place.now for place in watching._places.values()} == {uuid.UUID(int=0)}


def test_waits_that_take_too_long_to_read_stop_neither_conditions_nor_forgetting(
    handlers: None, rule: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_: Any) -> None:
        raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")

    forgotten: list[bool] = []
    monkeypatch.setattr(watching, "_watch_waits", slow)
    monkeypatch.setattr(watching, "forget", lambda: forgotten.append(True))
    rule("chore_failed")
    Chore.objects.update_or_create(name="seals", defaults={"next_at": "2026-01-01T00:00:00Z", "error": "OSError"})
    with pytest.raises(psycopg.errors.QueryCanceled):
        chores.watch()
    assert (Notice.objects.count(), forgotten) == (1, [True])


def test_parents_parked_on_failed_children_are_looked_at_a_page_at_a_time(
    mailbox: Post, rule: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "BATCH", 2)
    publish("bottom", REFUSED)
    publish("story", "do: [{down: {run: {workflow: {namespace: tests, name: bottom, version: latest}}}}]")
    rule(definitions="story")
    tops = [start_workflow("story", {}) for _ in range(5)]
    for _ in range(3):
        deliver()
    assert (mailbox.mails, Notice.objects.filter(state="new").count()) == ([], 5)
    looked, original = [], Statement.rows

    def rows(self: Statement, values: Any = None) -> Any:
        found = original(self, values)
        looked.extend(found if self in (matching._NEWEST, matching._NEXT) else [])
        return found

    monkeypatch.setattr(Statement, "rows", rows)
    assert matching.match() == 0
    assert len(looked) <= 4
    oldest = Notice.objects.filter(run=tops[0]).get()
    operations.resolve(child_of(tops[0]), actor="user:ann", reason="settled")
    for _ in range(4):
        matching.match()
    oldest.refresh_from_db()
    assert oldest.state == "told", "what is not among the newest is reached by the walk"


def child_of(top: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT c.id FROM run c JOIN step s ON s.id = c.parent_step WHERE s.run_id = %s", [top])
        return cursor.fetchone()[0]


def test_an_idle_sender_writes_nothing_and_waits_for_no_lock(mailbox: Post, rule: Make) -> None:
    rule()
    begin(REFUSED)
    deliver()
    settings = connection.get_connection_params()
    settings.pop("cursor_factory"), settings.pop("context")
    with psycopg.connect(**settings) as other, connection.cursor() as cursor:
        other.execute("SELECT pg_advisory_xact_lock(6130771403)")
        cursor.execute("SET default_transaction_read_only = on; SET lock_timeout = '1s'")
        try:
            chores.send()
        finally:
            cursor.execute("RESET default_transaction_read_only; RESET lock_timeout")
    assert len(mailbox.mails) == 1


def test_the_trail_keeps_no_address_that_is_a_secret(handlers: None, rule: Make) -> None:
    made = NotificationRule(name="all", kinds=["dead_letter"], email=["ann@example.com", "bob@example.com"])
    made.webhook = "https://user:pw@hooks.example.com:8443/services/T000/SECRET"
    made.connection = Connection.objects.create(name="hooks", allowed_hosts=[])
    operations.save_rule(made, actor="user:ann")
    data = json.loads(AuditEvent.objects.get(kind="notification.rule_changed").data)
    assert data["webhook"]["place"] == "https://hooks.example.com:8443"
    assert data["email"]["count"] == 2
    for secret in ("SECRET", "pw", "ann@", "bob@"):
        assert secret not in str(data)
    before = data["webhook"]["digest"]
    made.webhook += "2"
    operations.save_rule(made, actor="user:ann")
    latest = AuditEvent.objects.filter(kind="notification.rule_changed").latest("id")
    assert json.loads(latest.data)["webhook"]["digest"] != before


@contextmanager
def dripping() -> Iterator[int]:
    """A mail server that says a letter now and then, so that no single wait is too long."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            there, _ = listener.accept()
            try:
                while True:
                    there.sendall(b"2")
                    time.sleep(0.1)
            except OSError:
                there.close()

        threading.Thread(target=drip, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_mail_server_that_is_slow_at_everything_is_left_in_time(
    handlers: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "WHOLE_MAIL_SECONDS", 1.0)
    with dripping() as port:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.OUTGOING_ALLOW = [f"127.0.0.1:{port}"]
        began = time.monotonic()
        answer = channels.send(channels.Parcel("1", "email", "ops@example.com", {"subject": "s", "text": "t"}))
        assert answer.error
        assert time.monotonic() - began < 15


def test_a_lease_is_longer_than_an_attempt_and_not_much() -> None:
    longest = max(channels.WHOLE_MAIL_SECONDS, channels.WEBHOOK_SECONDS)
    assert longest + 10 <= sending.LEASE_SECONDS <= 60
