"""What is muted is not told; who muted it is on record."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from tests.integration.actions.post import Post
from tests.integration.notifications.steps import REFUSED, deliver, later, states
from tests.support.documents import publish
from tests.support.engine import begin, start_workflow, work_until_idle
from workflows import operations, queries
from workflows.models import NotificationMute, NotificationRule
from workflows.notifications import chores, matching

Make = Callable[..., NotificationRule]
SOON = timedelta(hours=1)


def mute(subject: str, name: object) -> None:
    operations.mute(subject, str(name), timezone.now() + SOON, actor="user:ann", reason="known")


@pytest.mark.parametrize("subject", ["rule", "definition", "run"])
def test_what_is_muted_is_not_told_and_other_things_are(mailbox: Post, rule: Make, subject: str) -> None:
    made = rule(definitions="story")
    rule(definitions="other")
    publish("other", REFUSED)
    run = begin(REFUSED)
    mute(subject, {"rule": made.name, "definition": "story", "run": run}[subject])
    start_workflow("other", {})
    deliver()
    assert len(mailbox.mails) == 1
    assert "other" in str(mailbox.mails[0]["Subject"])
    shown = queries.mutes()
    assert [(row.subject, row.name) for row in shown] == [
        (subject, {"rule": made.name, "definition": "story", "run": str(run)}[subject])
    ]


@pytest.mark.parametrize("subject", ["rule", "definition", "run"])
def test_a_message_that_waits_already_is_dropped_by_a_mute(mailbox: Post, rule: Make, subject: str) -> None:
    made = rule()
    run = begin(REFUSED)
    work_until_idle()
    matching.match()
    mute(subject, {"rule": made.pk, "definition": "story", "run": run}[subject])
    chores.send()
    assert (mailbox.mails, states()) == ([], ["dropped"])


def test_what_happens_after_a_mute_is_told_again(mailbox: Post, rule: Make) -> None:
    rule()
    publish("story", REFUSED)
    mute("definition", "story")
    start_workflow("story", {})
    deliver()
    row = NotificationMute.objects.get()
    operations.unmute(row.pk, actor="user:ann", reason="repaired")
    start_workflow("story", {})
    deliver()
    assert len(mailbox.mails) == 1
    kinds = AuditEvent.objects.filter(chain=row.pk).order_by("seq").values_list("kind", "actor", "reason")
    assert list(kinds) == [
        ("notification.muted", "user:ann", "known"),
        ("notification.unmuted", "user:ann", "repaired"),
    ]


def test_a_mute_ends_by_itself(mailbox: Post, rule: Make) -> None:
    rule()
    publish("story", REFUSED)
    mute("definition", "story")
    NotificationMute.objects.update(until=timezone.now() - timedelta(seconds=1))
    start_workflow("story", {})
    deliver()
    assert (len(mailbox.mails), queries.mutes()) == (1, [])


@pytest.mark.parametrize("until", [timedelta(seconds=-1), timedelta(days=400)])
def test_a_mute_ends_at_a_time_to_come_within_a_year(handlers: None, until: timedelta) -> None:
    publish("story", REFUSED)
    with pytest.raises(operations.NotAllowed, match="within 366 days"):
        operations.mute("definition", "story", timezone.now() + until, actor="user:ann", reason="x")


@pytest.mark.parametrize("subject", ["rule", "definition", "run"])
def test_what_is_not_there_cannot_be_muted(handlers: None, subject: str) -> None:
    for name in ("nothing", "01932f4c-7b1e-7c3a-9a55-0242ac120002"):
        with pytest.raises(operations.OperationError, match="no "):
            mute(subject, name)


def test_the_mute_of_a_run_is_among_its_events(mailbox: Post, rule: Make) -> None:
    run = begin(REFUSED)
    mute("run", run)
    assert "notification.muted" in {event.kind for event in queries.audit(run)}


def test_a_mute_that_is_there_is_replaced(handlers: None) -> None:
    publish("story", REFUSED)
    mute("definition", "story")
    mute("definition", "story")
    assert NotificationMute.objects.count() == 1
    later(0)
