"""What becomes of a message on its way: refused, lost, sent twice, never arriving."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from pytest_django.fixtures import Settings

from actions import secrets
from actions.models import Connection
from tests.integration.actions.post import Post
from tests.integration.actions.web import Web
from tests.integration.notifications.steps import REFUSED, deliver, due_now, later, states, subjects
from tests.support.engine import begin, start_workflow, work_until_idle
from tests.support.webhooks import KEY
from workflows import operations, signatures
from workflows.models import Notification, NotificationRule
from workflows.notifications import channels, chores, matching, retrying, sending, words
from workflows.notifications.channels import Answer

Make = Callable[..., NotificationRule]
CLAIM = {"lease": 60.0, "limit": 2, "each": 1, "slow": list[str]()}


def message() -> Notification:
    return Notification.objects.get()


def wait_of(row: Notification) -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM due_at - now()) FROM notification WHERE id = %s", [row.pk])
        return float(cursor.fetchone()[0])


def test_a_webhook_is_signed_thin_and_numbered_by_the_message(server: Web, rule: Make) -> None:
    rule(webhook=server.url("/hook"))
    run = begin(REFUSED, {"password": "hunter2"})
    deliver()
    (request,) = server.requests
    headers = {name: request.headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    assert signatures.verify("standard", [KEY], headers, request.body, time.time())
    assert not signatures.verify("standard", [KEY], headers, request.body + b" ", time.time())
    assert headers["webhook-id"] == str(message().pk)
    said = json.loads(request.body)
    assert said["type"] == "dev.dotdo.notification.dead_letter.v1"
    assert said["data"]["count"] == 1
    (item,) = said["data"]["items"]
    assert (item["run"], item["code"], item["step"]) == (str(run), "declined", "charge")
    assert b"the other side said no" not in request.body
    assert len(request.body) < 20_000


def test_every_secret_of_the_connection_signs_so_that_one_can_follow_another(server: Web, rule: Make) -> None:
    other = "whsec_b3RoZXItc2VjcmV0LW9mLTMyLWJ5dGVzLWxvbmchIQ=="
    secrets.set_secret(Connection.objects.get(name="hooks"), {"old": KEY, "new": other}, actor="user:test")
    rule(webhook=server.url("/hook"))
    begin(REFUSED)
    deliver()
    headers = {name: value for name, value in server.requests[0].headers.items() if name.startswith("webhook-")}
    for secret in (KEY, other):
        assert signatures.verify("standard", [secret], headers, server.requests[0].body, time.time())


@pytest.mark.parametrize("path", ["/status/500", "/status/400", "/redirect", "/cut", "/large"])
def test_anything_but_2xx_is_a_failure_and_is_tried_again_under_the_same_number(
    server: Web, rule: Make, path: str
) -> None:
    rule(webhook=server.url(path))
    begin(REFUSED)
    deliver()
    assert (states(), message().attempts) == (["waiting"], 1)
    assert message().error
    assert 4 < wait_of(message()) <= 5.6
    due_now()
    chores.send()
    first, second = server.requests[-2:]
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert 280 < wait_of(message()) <= 331


def test_the_time_of_the_signature_is_that_of_the_attempt(
    server: Web, rule: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule(webhook=server.url("/status/500"))
    begin(REFUSED)
    deliver()
    now = time.time()
    monkeypatch.setattr("workflows.notifications.channels.time.time", lambda: now + 1_000)
    due_now()
    chores.send()
    stamps = [int(request.headers["webhook-timestamp"]) for request in server.requests]
    assert stamps[1] - stamps[0] >= 1_000


def test_a_receiver_that_asks_for_time_gets_it(server: Web, rule: Make) -> None:
    rule(webhook=server.url("/status/503/1800"))
    begin(REFUSED)
    deliver()
    assert 1_700 < wait_of(message()) <= 1_800


def test_410_ends_it_and_nothing_more_is_sent_there_until_the_rule_is_saved(server: Web, rule: Make) -> None:
    made = rule(webhook=server.url("/status/410"))
    begin(REFUSED)
    deliver()
    assert states() == ["gone"]
    fail_again()
    deliver()
    assert (states(), len(server.requests)) == (["gone"], 1)
    operations.save_rule(made, actor="user:ann")
    fail_again()
    deliver()
    assert (states(), len(server.requests)) == (["dead", "gone"], 2)


def test_410_takes_the_messages_that_wait_for_the_same_address_along(server: Web, rule: Make) -> None:
    rule(webhook=server.url("/status/410"), group_seconds=600)
    begin(REFUSED)
    work_until_idle()
    matching.match()
    Notification.objects.update(created_at="2026-01-01T00:00:00Z", definition="other")
    fail_again()
    matching.match()
    waits = {"due_at": "2099-01-01T00:00:00Z", "content": {"text": "what failed"}}
    Notification.objects.filter(definition="story").update(**waits)
    chores.send()
    assert states() == ["gone", "gone"]
    assert list(Notification.objects.values_list("content", flat=True)) == [{}, {}]


def test_a_message_that_is_refused_for_ever_is_dead_and_can_be_sent_again(server: Web, rule: Make) -> None:
    rule(webhook=server.url("/status/500"))
    begin(REFUSED)
    deliver()
    for _ in range(retrying.MAX_ATTEMPTS - 1):
        due_now()
        chores.send()
    assert (states(), message().attempts, message().error) == (["dead"], 10, "the receiver answered 500")
    due_now()
    chores.send()
    assert len(server.requests) == 10
    Notification.objects.update(address=server.url("/hook"))
    operations.resend(message().pk, actor="user:ann", reason="the receiver is back")
    chores.send()
    assert states() == ["sent"]
    assert server.requests[-1].headers["webhook-id"] == server.requests[0].headers["webhook-id"]


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"RCPT": "550 unknown"}, "dead"),
        ({"DATA": "554 spam"}, "dead"),
        ({"BEFORE DATA": "554 too many"}, "dead"),
        ({"RCPT": "450 greylisted"}, "waiting"),
    ],
)
def test_a_mail_server_that_refuses_a_mail_for_good_is_not_asked_again(
    mailbox: Post, rule: Make, answers: dict[str, str], state: str
) -> None:
    rule()
    mailbox.answers = answers
    begin(REFUSED)
    deliver()
    assert states() == [state]


OFFERS = {"EHLO": "250-post\r\n250-STARTTLS\r\n250 AUTH PLAIN"}


@pytest.mark.parametrize(
    "answers",
    [
        {**OFFERS, "AUTH": "535 5.7.8 wrong password"},
        {**OFFERS, "STARTTLS": "554 no TLS today"},
        {"CONNECT": "554 go away"},
        {"EHLO": "550 who are you", "HELO": "550 who are you"},
        {"MAIL": "530 log in first"},
    ],
)
def test_a_wrong_password_or_a_server_that_wants_nobody_makes_no_mail_dead(
    mailbox: Post, rule: Make, settings: Settings, answers: dict[str, str]
) -> None:
    rule()
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = ("dotdo", "secret") if "AUTH" in answers else ("", "")
    settings.EMAIL_USE_TLS = "STARTTLS" in answers
    mailbox.answers = answers
    begin(REFUSED)
    deliver()
    assert (states(), message().attempts) == (["waiting"], 1)
    assert "smtp_5" in message().error
    settings.EMAIL_HOST_USER, settings.EMAIL_USE_TLS, mailbox.answers = "", False, {}
    due_now()
    chores.send()
    assert states() == ["sent"]


def test_words_that_cannot_be_stored_are_recorded_and_so_is_the_rest_of_the_round(
    mailbox: Post, server: Web, rule: Make
) -> None:
    rule(webhook=server.url("/hook"), email=["a@example.com"])
    mailbox.answers = {"RCPT": "450 lat\x00er"}
    begin(REFUSED)
    deliver()
    assert sorted(states()) == ["sent", "waiting"]
    row = Notification.objects.get(channel="email")
    assert "lat\ufffder" in row.error
    assert row.lease_expires_at is None


def test_an_answer_that_cannot_be_recorded_costs_no_other(
    mailbox: Post, rule: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule(email=["a@example.com", "b@example.com", "c@example.com"])
    begin(REFUSED)
    real = sending.record

    def refused(row: Notification, answer: Answer) -> bool:
        if row.address == "a@example.com":
            raise ValueError("no")
        return real(row, answer)

    monkeypatch.setattr(sending, "record", refused)
    deliver()
    assert sorted(states()) == ["sent", "sent", "waiting"]


def test_a_mail_server_that_is_away_delays_the_message_and_harms_nothing(
    mailbox: Post, rule: Make, settings: Settings
) -> None:
    rule()
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    settings.OUTGOING_ALLOW = [*settings.OUTGOING_ALLOW, "127.0.0.1:1"]
    begin(REFUSED)
    deliver()
    assert (states(), "connection_failed" in message().error) == (["waiting"], True)
    settings.EMAIL_PORT = port
    later(10)
    deliver()
    assert (states(), len(mailbox.mails)) == (["sent"], 1)


def test_a_place_that_must_not_be_reached_is_not_reached(server: Web, rule: Make, settings: Settings) -> None:
    settings.OUTGOING_ALLOW = []
    rule(webhook=server.url("/hook"))
    begin(REFUSED)
    deliver()
    assert (server.requests, states()) == ([], ["waiting"])
    assert "blocked_address" in message().error


def test_killed_between_sending_and_recording_it_is_sent_again_under_the_same_id(
    mailbox: Post, rule: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule()
    begin(REFUSED)
    with monkeypatch.context() as killed:
        killed.setattr(sending, "record", lambda *_: False)
        deliver()
    chores.send()
    assert len(mailbox.mails) == 1  # the lease of the one who was killed still runs
    later(sending.LEASE_SECONDS + 1)
    chores.send()
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Subject"] == second["Subject"]
    assert states() == ["sent"]


def test_one_who_lost_the_lease_records_nothing(mailbox: Post, rule: Make) -> None:
    rule()
    begin(REFUSED)
    work_until_idle()
    matching.match()
    sending._CLAIM.rows(CLAIM | {"lease": 1.0})
    stale = message()
    later(5)
    sending._CLAIM.rows(CLAIM)
    assert not sending.record(stale, Answer())
    assert sending.record(message(), Answer())
    assert states() == ["sent"]


def test_a_message_whose_senders_all_died_is_dead_in_the_end(mailbox: Post, rule: Make) -> None:
    rule()
    begin(REFUSED)
    work_until_idle()
    matching.match()
    Notification.objects.update(attempts=retrying.MAX_ATTEMPTS)
    chores.send()
    assert (states(), mailbox.mails) == (["dead"], [])


def test_two_deliverers_at_once_send_each_message_once(mailbox: Post, rule: Make) -> None:
    for number in range(6):
        rule(email=[f"ops{number}@example.com", f"dev{number}@example.com"])
    begin(REFUSED)
    work_until_idle()

    def rounds(_: int) -> None:
        for _ in range(4):
            chores.send()
        connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(rounds, range(3)))
    assert len(mailbox.mails) == 12
    assert len({tuple(envelope) for envelope in mailbox.envelopes}) == 12
    assert set(states()) == {"sent"}


def test_no_transaction_is_open_while_the_network_is_waited_for(
    mailbox: Post, rule: Make, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = channels.send

    def look(parcel: Any) -> Any:
        rows = superuser.execute(
            "SELECT state FROM pg_stat_activity WHERE usename = 'dotdo' AND state LIKE 'idle in transaction%'"
        )
        seen.append(rows.fetchall())
        return original(parcel)

    monkeypatch.setattr(channels, "send", look)
    rule()
    begin(REFUSED)
    deliver()
    assert seen == [[]]


def test_a_message_that_cannot_be_written_does_not_stop_the_others(
    mailbox: Post, rule: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule("dead_letter")
    begin(REFUSED)
    rule("test-only", email=["other@example.com"])
    work_until_idle()
    matching.match()
    operations.send_test(NotificationRule.objects.get(name="rule 1"), actor="user:ann")
    original = words.content
    monkeypatch.setattr(words, "content", lambda row, found: original(row, found) if row.kind == "test" else 1 / 0)
    chores.send()
    assert subjects(mailbox) == ["[dotdo] Test: messages arrive"]
    assert "could not be written" in Notification.objects.get(kind="dead_letter").error


def test_a_test_message_goes_to_every_address_of_the_rule(mailbox: Post, server: Web, rule: Make) -> None:
    made = rule(webhook=server.url("/hook"), email=["a@example.com", "b@example.com"])
    assert operations.send_test(made, actor="user:ann") == 3
    chores.send()
    assert sorted(mailbox.envelopes) == [["a@example.com"], ["b@example.com"]]
    assert json.loads(server.requests[0].body)["type"] == "dev.dotdo.notification.test.v1"
    assert states() == ["sent"] * 3


def fail_again() -> None:
    start_workflow("story", {})
    work_until_idle()
