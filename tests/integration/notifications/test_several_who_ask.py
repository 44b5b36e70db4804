"""One message tells of what several rules and definitions want told: a mute of one takes nothing from the others."""

from collections.abc import Callable

import pytest
from django.db.models.functions import Now

from tests.integration.actions.post import Post
from tests.integration.notifications.steps import REFUSED, due_now, states, subjects, text
from tests.integration.notifications.test_muting import mute
from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, work_until_idle
from workflows.models import Notice, Notification, NotificationRule
from workflows.notifications import chores, matching

Make = Callable[..., NotificationRule]


def quiet(made: NotificationRule, how: str) -> None:
    if how == "muted":
        mute("rule", made.name)
    else:
        NotificationRule.objects.filter(pk=made.pk).update(enabled=False)


def fail_in(*queues: str) -> None:
    """Leave a failed run of one workflow in each queue, matched into messages."""
    publish("story", REFUSED)
    for queue in queues:
        run = start_workflow("story", {})
        work_until_idle()
        Notice.objects.filter(run=run).update(queue=queue)
        matching.match()


@pytest.mark.parametrize("how", ["muted", "disabled"])
def test_what_another_rule_wants_told_survives_a_rule_that_is_quiet(mailbox: Post, rule: Make, how: str) -> None:
    eu = rule(queues="eu", group_seconds=600)
    rule(queues="us", group_seconds=600)
    fail_in("eu", "us")
    assert Notification.objects.get().items.count() == 2
    quiet(eu, how)
    chores.send()
    assert subjects(mailbox) == ["[dotdo] story failed at charge"]
    assert "because of the rule rule 1." in text(mailbox)
    assert Notification.objects.get().because == "the rule rule 1"


def test_what_only_quiet_rules_want_is_not_told(mailbox: Post, rule: Make) -> None:
    made = [rule(queues="eu"), rule(queues="us")]
    fail_in("eu", "us")
    quiet(made[0], "muted")
    quiet(made[1], "disabled")
    chores.send()
    assert (mailbox.mails, states()) == ([], ["dropped"])


def test_what_a_definition_wants_told_survives_a_mute_of_a_rule(mailbox: Post, rule: Make) -> None:
    made = rule(email=["owner@example.com"])
    start_action("test-owned", {})
    work_until_idle()
    matching.match()
    assert Notification.objects.get().rule == made
    quiet(made, "muted")
    chores.send()
    assert mailbox.envelopes == [["owner@example.com"]]
    assert "because of action test-owned:1.0.0" in text(mailbox)


def test_a_message_that_failed_once_is_sent_though_one_of_its_rules_was_muted_since(mailbox: Post, rule: Make) -> None:
    eu = rule(queues="eu", group_seconds=600)
    rule(queues="us", group_seconds=600)
    fail_in("eu", "us")
    mailbox.answers = {"RCPT": "450 later"}
    chores.send()
    assert states() == ["waiting"]
    mailbox.answers = {}
    quiet(eu, "muted")
    due_now()
    chores.send()
    assert (states(), len(mailbox.mails)) == (["sent"], 1)


def test_a_message_whose_rule_has_another_address_now_goes_to_the_one_it_was_made_for(
    mailbox: Post, rule: Make
) -> None:
    made = rule()
    fail_in("eu")
    NotificationRule.objects.filter(pk=made.pk).update(email=["new@example.com"])
    chores.send()
    assert mailbox.envelopes == [["ops@example.com"]]


def test_a_message_whose_rule_has_another_address_now_and_is_muted_is_dropped(mailbox: Post, rule: Make) -> None:
    made = rule()
    fail_in("eu")
    NotificationRule.objects.filter(pk=made.pk).update(email=["new@example.com"], muted_until=Now())
    quiet(made, "muted")
    chores.send()
    assert (mailbox.mails, states()) == ([], ["dropped"])
