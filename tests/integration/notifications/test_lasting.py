"""What has lasted too long is told once for each time that it does."""

from collections.abc import Callable
from datetime import timedelta
from unittest import mock

import psycopg
import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from actions import registry
from tests.integration.actions.post import Post
from tests.integration.notifications.steps import REFUSED, deliver, later, publish_with, states, subjects, text
from tests.support.documents import publish
from tests.support.engine import begin, broadcast, start_action, start_workflow, work_until_idle
from tests.support.rows import root
from tests.support.rows import run as make_run
from tests.support.rows import step as make_step
from workflows import operations, scheduling, starter
from workflows.approvals import Person
from workflows.models import Chore, Notice, Notification, NotificationRule, Run, Schedule, Step, Worker
from workflows.notifications import chores, conditions
from workflows.operations.errors import TooDeep

Make = Callable[..., NotificationRule]
ASK = "do: [{ask: {call: approval, with: {title: May we?}}}]"
LISTEN = "do: [{hear: {listen: {to: {one: {with: {type: paid}}}}}}]"


def age(hours: float) -> None:
    """Let everything that waits have waited for so long, ids and all."""
    ago = timedelta(hours=hours)
    for step in Step.objects.filter(state__in=("ready", "waiting", "held")):
        old = (step.pk.int >> 80) - int(ago.total_seconds() * 1_000)
        moved = type(step.pk)(int=(old << 80) | (step.pk.int & ((1 << 80) - 1)))
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM subscription WHERE step_id = %s", [step.pk])
            cursor.execute(
                "UPDATE step SET id = %s, created_at = created_at - %s::interval WHERE id = %s",
                [moved, f"{hours} hours", step.pk],
            )
    Run.objects.filter(state="suspended").update(stopped_at=F("stopped_at") - ago)


def round_() -> None:
    chores.watch()
    chores.send()


@pytest.mark.parametrize(("body", "words"), [(ASK, "it waits for a person"), (LISTEN, "it waits for an event")])
def test_a_run_that_waits_too_long_is_told_once(mailbox: Post, rule: Make, body: str, words: str) -> None:
    rule("waiting_too_long", after_seconds=3_600)
    begin(body)
    deliver()
    assert mailbox.mails == []
    age(2)
    for _ in range(3):
        round_()
    assert subjects(mailbox) == ["[dotdo] story has been waiting too long"]
    assert words in text(mailbox)
    assert "Answer the approval" in text(mailbox)


def test_rules_have_thresholds_of_their_own(mailbox: Post, rule: Make) -> None:
    rule("waiting_too_long", after_seconds=3_600, email=["soon@example.com"])
    rule("waiting_too_long", after_seconds=36_000, email=["late@example.com"])
    begin(ASK)
    work_until_idle()
    age(2)
    round_()
    assert mailbox.envelopes == [["soon@example.com"]]
    age(10)
    round_()
    assert ["late@example.com"] in mailbox.envelopes


def test_a_suspended_run_that_everybody_forgot_is_told_of(mailbox: Post, rule: Make) -> None:
    rule("waiting_too_long", after_seconds=3_600)
    run = begin("do: [{rest: {wait: {hours: 90}}}]")
    work_until_idle()
    operations.suspend(run, actor="user:ann", reason="later")
    age(2)
    round_()
    round_()
    assert len(mailbox.mails) == 1
    assert "somebody to resume it" in text(mailbox)


def test_a_wait_for_a_time_is_not_too_long(mailbox: Post, rule: Make) -> None:
    rule("waiting_too_long", after_seconds=60)
    begin("do: [{rest: {wait: {hours: 90}}}]")
    work_until_idle()
    age(2)
    round_()
    assert (mailbox.mails, Notice.objects.count()) == ([], 0)


def test_what_was_answered_before_the_message_went_out_is_not_told(mailbox: Post, rule: Make) -> None:
    rule("waiting_too_long", after_seconds=60)
    run = begin(ASK)
    work_until_idle()
    age(2)
    chores.watch()
    assert Notice.objects.count() == 1
    ada = Person("ada", frozenset())
    operations.answer_approval(run, "/do/0/ask", decision="approved", person=ada, actor="user:ada")
    work_until_idle()
    chores.send()
    assert mailbox.mails == []


def test_a_workflow_says_itself_how_long_is_too_long(mailbox: Post) -> None:
    own = "notify: {on: [waiting_too_long], after: {hours: 1}, email: [boss@example.com]}"
    start_workflow(publish_with("story", ASK, own), {})
    start_workflow(publish("other", ASK), {})
    work_until_idle()
    age(2)
    round_()
    assert mailbox.envelopes == [["boss@example.com"]]
    assert "because of workflow story:1.0.0" in text(mailbox)


def test_a_queue_that_is_behind_is_told_once_until_it_has_caught_up(mailbox: Post, rule: Make) -> None:
    rule("queue_age", after_seconds=300)
    made = make_step(make_run("running"), due=timedelta(minutes=-10))
    round_()
    round_()
    assert subjects(mailbox) == ["[dotdo] The queue default is behind"]
    Step.objects.filter(pk=made.pk).update(due_at=Now())
    round_()
    assert Notice.objects.filter(ended_at=None).count() == 0
    Step.objects.filter(pk=made.pk).update(due_at=Now() - timedelta(minutes=10))
    round_()
    assert len(mailbox.mails) == 2


def test_a_queue_that_caught_up_before_the_message_went_out_is_not_told(mailbox: Post, rule: Make) -> None:
    rule("queue_age", after_seconds=300)
    made = make_step(make_run("running"), due=timedelta(minutes=-10))
    chores.watch()
    Step.objects.filter(pk=made.pk).update(due_at=Now())
    chores.watch()
    chores.send()
    assert mailbox.mails == []


def test_due_work_that_no_living_worker_serves_is_told(mailbox: Post, rule: Make) -> None:
    rule("no_worker", after_seconds=60)
    made = make_step(make_run("running"), due=timedelta(minutes=-5), queue="far")
    worker = Worker.objects.create(
        host="h", pid=1, code_version="", queues=["default"], started_at=Now(), heartbeat_at=Now()
    )
    round_()
    assert subjects(mailbox) == ["[dotdo] No worker serves the queue far"]
    Worker.objects.filter(pk=worker.pk).update(queues=["far"])
    round_()
    assert Notice.objects.filter(ended_at=None).count() == 0
    Worker.objects.filter(pk=worker.pk).update(heartbeat_at=Now() - timedelta(minutes=5))
    round_()
    assert len(mailbox.mails) == 2
    assert Step.objects.get(pk=made.pk).state == "ready"


def test_a_handler_that_no_worker_knows_is_told_once_for_all_its_runs(mailbox: Post, rule: Make) -> None:
    blocked(3)
    rule("no_worker", after_seconds=60, definitions="test-*")
    deliver()
    deliver()
    told = [number for number, to in enumerate(mailbox.envelopes) if to == ["ops@example.com"]]
    assert [subjects(mailbox)[number] for number in told] == ["[dotdo] No worker knows test-owned"]
    assert "3 due steps wait" in text(mailbox, told[0])


def test_a_handler_that_no_worker_knows_is_told_behind_a_long_queue(mailbox: Post, rule: Make) -> None:
    blocked(1)
    run = make_run("running")
    due = {
        "run": run,
        "branch": root(run),
        "ref": "/do/0/a",
        "name": "a",
        "kind": "call",
        "function": "test-echo:1.0.0",
    }
    times = {"due_at": Now() - timedelta(hours=1), "created_at": Now() - timedelta(hours=1)}
    Step.objects.bulk_create(Step(key=f"/do/{number}/a", **due, **times) for number in range(1_100))
    rule("no_worker", after_seconds=60, definitions="test-*")
    Worker.objects.create(host="h", pid=1, code_version="", queues=[], started_at=Now(), heartbeat_at=Now())
    round_()
    round_()
    assert subjects(mailbox).count("[dotdo] No worker knows test-owned") == 2, "to the rule and to the owner, once"
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {conditions._BLOCKED.text.replace('$1', '10')}")
        plan = str(cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "branch_blocked" in plan


def blocked(count: int) -> None:
    """Leave runs of an action behind whose handler this process forgot."""
    spec = registry.handler("test-owned", "1.0.0")
    assert spec is not None
    registry.forget(["test-owned"])
    try:
        for _ in range(count):
            start_action("test-owned", {})
        work_until_idle()
    finally:
        registry._add(spec)
    assert Run.objects.filter(reason="blocked").count() == count
    Step.objects.update(created_at=F("created_at") - timedelta(minutes=5), due_at=Now() + timedelta(seconds=10))


def test_an_action_may_say_itself_that_it_wants_a_worker(mailbox: Post) -> None:
    blocked(1)
    deliver()
    assert mailbox.envelopes == [["owner@example.com"]]


def test_a_schedule_that_cannot_start_its_run_is_told(mailbox: Post, rule: Make) -> None:
    rule("schedule_failed")
    publish("story", "schedule: {every: PT1H}\ndo: [{a: {set: {b: 1}}}]")
    Schedule.objects.update(next_at=Now() - timedelta(seconds=1))
    with mock.patch.object(starter, "start_workflow", side_effect=TooDeep("story", 9, 8)):
        scheduling.fire_due()
    round_()
    assert subjects(mailbox) == ["[dotdo] The schedule of story could not start a run"]
    assert "8 are allowed" in text(mailbox)
    assert "https://dotdo.example.com/workflows/story/" in text(mailbox)


def test_a_chore_that_fails_is_told_but_not_those_of_notifications(mailbox: Post, rule: Make) -> None:
    rule("chore_failed")
    for name in ("seals", "notices.send", "notices.watch"):
        Chore.objects.update_or_create(name=name, defaults={"next_at": Now(), "error": "OSError: no space, token=abc"})
    round_()
    round_()
    assert subjects(mailbox) == ["[dotdo] The chore seals failed"]
    assert "abc" not in text(mailbox)


def test_a_transaction_that_stays_open_is_told(mailbox: Post, rule: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    rule("old_transaction", after_seconds=60)
    monkeypatch.setattr(conditions, "LEAST_SECONDS", 0.0)
    settings = connection.get_connection_params() | {"application_name": "report"}
    settings.pop("cursor_factory"), settings.pop("context")
    with psycopg.connect(**settings) as other, other.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT 1")
        round_()
        assert mailbox.mails == []
        NotificationRule.objects.update(after_seconds=0)
        round_()
        assert subjects(mailbox) == ["[dotdo] A transaction has been open too long"]
        assert "of report" in text(mailbox)
    round_()
    assert Notice.objects.filter(ended_at=None).count() == 0


def test_old_messages_and_notices_go_and_what_has_not_ended_stays(mailbox: Post, rule: Make) -> None:
    rule("dead_letter", "waiting_too_long", after_seconds=60)
    begin(REFUSED)
    start_workflow(publish("asks", ASK), {})
    work_until_idle()
    age(1)
    round_()
    assert (states(), Notice.objects.count()) == (["sent", "sent"], 2)
    later(31 * 86_400)
    for _ in range(2):
        round_()
    assert Notification.objects.count() == 0
    assert list(Notice.objects.values_list("kind", flat=True)) == ["waiting_too_long"]
    assert len(mailbox.mails) == 2


def test_an_event_that_comes_ends_the_wait(mailbox: Post, rule: Make) -> None:
    rule("waiting_too_long", after_seconds=0)
    begin(LISTEN)
    work_until_idle()
    chores.watch()
    broadcast()
    work_until_idle()
    chores.send()
    assert mailbox.mails == []
