"""Many notices of one kind and definition become one message."""

from collections.abc import Callable

from tests.integration.actions.post import Post
from tests.integration.notifications.steps import REFUSED, deliver, later, publish_with, states, subjects, text
from tests.support.documents import publish
from tests.support.engine import start_workflow
from workflows import operations
from workflows.models import Notification, NotificationRule, Run

Make = Callable[..., NotificationRule]


def fail(count: int, name: str = "story") -> None:
    for _ in range(count):
        start_workflow(name, {})


def test_what_comes_together_is_one_message_with_a_count_and_the_first_links(mailbox: Post, rule: Make) -> None:
    rule()
    publish("story", REFUSED)
    fail(7)
    deliver()
    assert subjects(mailbox) == ["[dotdo] 7 runs of story failed"]
    told = text(mailbox)
    assert told.count("Look:   https://dotdo.example.com/runs/") == 5
    assert "And 2 more: https://dotdo.example.com/runs/?status=failed" in told


def test_the_first_is_told_at_once_and_what_follows_when_the_interval_is_over(mailbox: Post, rule: Make) -> None:
    rule(group_seconds=600)
    publish("story", REFUSED)
    fail(1)
    deliver()
    fail(2)
    deliver()
    fail(1)
    deliver()
    assert subjects(mailbox) == ["[dotdo] story failed at charge"]
    assert (states(), Notification.objects.order_by("-id")[0].items.count()) == (["sent", "waiting"], 3)
    later(590)
    deliver()
    assert len(mailbox.mails) == 1
    later(15)
    deliver()
    assert subjects(mailbox)[1:] == ["[dotdo] 3 runs of story failed"]


def test_after_a_quiet_interval_the_next_one_is_told_at_once_again(mailbox: Post, rule: Make) -> None:
    rule(group_seconds=600)
    publish("story", REFUSED)
    fail(1)
    deliver()
    later(700)
    fail(1)
    deliver()
    assert len(mailbox.mails) == 2


def test_definitions_and_kinds_are_told_apart(mailbox: Post, rule: Make) -> None:
    rule(group_seconds=600)
    publish("one", REFUSED)
    publish("other", REFUSED)
    fail(2, "one")
    fail(2, "other")
    deliver()
    assert sorted(subjects(mailbox)) == ["[dotdo] 2 runs of one failed", "[dotdo] 2 runs of other failed"]


def test_a_group_that_is_tried_again_says_the_same_and_takes_no_more_in(mailbox: Post, rule: Make) -> None:
    rule(group_seconds=600)
    publish("story", REFUSED)
    fail(1)
    mailbox.answers = {"DATA": "451 later"}
    deliver()
    fail(1)
    deliver()
    mailbox.answers = {}
    later(700)
    deliver()
    assert sorted(subjects(mailbox)) == ["[dotdo] story failed at charge"] * 2


def test_what_a_definition_asks_for_is_grouped_as_well(mailbox: Post) -> None:
    publish_with("story", REFUSED, "notify: {email: [boss@example.com]}")
    fail(3)
    deliver()
    fail(1)
    deliver()
    assert subjects(mailbox) == ["[dotdo] 3 runs of story failed"]


def test_of_a_group_only_what_still_needs_somebody_is_told(mailbox: Post, rule: Make) -> None:
    rule(group_seconds=600)
    publish("story", REFUSED)
    fail(1)
    deliver()
    fail(3)
    deliver()
    newest = Run.objects.order_by("-id").values_list("pk", flat=True)[:2]
    for run in list(newest):
        operations.resolve(run, actor="user:ann", reason="settled")
    later(700)
    deliver()
    assert subjects(mailbox)[1:] == ["[dotdo] story failed at charge"]
