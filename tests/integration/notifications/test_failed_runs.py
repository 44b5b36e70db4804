"""Which failures are told, to whom, and what is not told any more."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from tests.integration.actions.post import Post
from tests.integration.notifications.steps import REFUSED, deliver, later, publish_with, states, subjects, text
from tests.support.documents import publish
from tests.support.engine import begin, start_action, start_workflow, state, work_until_idle
from workflows import operations
from workflows.models import Notice, NotificationRule, Run, Step
from workflows.notifications import chores, matching

Make = Callable[..., NotificationRule]


def test_a_dead_letter_is_told_with_what_where_why_since_when_and_what_to_do(mailbox: Post, rule: Make) -> None:
    rule()
    run = begin(REFUSED)
    deliver()
    assert mailbox.envelopes == [["ops@example.com"]]
    assert subjects(mailbox) == ["[dotdo] story failed at charge"]
    told = text(mailbox)
    for part in (
        f"run {run} of story",
        "Where:  charge",
        "Why:    declined: the other side said no",
        "Since:  ",
        f"Look:   https://dotdo.example.com/runs/{run}/",
        "press Retry",
        "because of the rule rule 0",
    ):
        assert part in told, told
    assert mailbox.mails[0]["Auto-Submitted"] == "auto-generated"
    assert states() == ["sent"]


def test_it_is_told_once_however_often_the_sender_looks(mailbox: Post, rule: Make) -> None:
    rule()
    begin(REFUSED)
    for _ in range(3):
        deliver()
    assert len(mailbox.mails) == 1


def test_what_is_rolled_back_leaves_no_notice(handlers: None, rule: Make) -> None:
    rule()
    begin("do: [{wait: {wait: {hours: 1}}}]")
    work_until_idle()
    with transaction.atomic():
        Run.objects.update(state="failed", reason="dead_letter", stopped_at="2026-01-01T00:00:00Z")
        assert Notice.objects.count() == 1
        transaction.set_rollback(True)
    assert Notice.objects.count() == 0


def test_a_retry_that_fails_again_is_told_again(mailbox: Post, rule: Make) -> None:
    rule()
    run = begin(REFUSED)
    deliver()
    operations.retry(run, actor="user:ann", reason="again")
    deliver()
    assert len(mailbox.mails) == 2
    assert mailbox.mails[0]["Message-ID"] != mailbox.mails[1]["Message-ID"]


@pytest.mark.parametrize("repair", ["retry", "resolve", "cancel"])
def test_what_was_repaired_before_the_message_went_out_is_not_told(mailbox: Post, rule: Make, repair: str) -> None:
    rule()
    run = begin(REFUSED)
    work_until_idle()
    getattr(operations, repair)(run, actor="user:ann", reason="seen it")
    chores.send()
    assert (mailbox.mails, Notice.objects.count()) == ([], 0)


def test_what_was_repaired_while_its_message_was_tried_again_is_dropped(mailbox: Post, rule: Make) -> None:
    rule()
    run = begin(REFUSED)
    mailbox.answers = {"DATA": "451 later"}
    deliver()
    mailbox.answers = {}
    operations.resolve(run, actor="user:ann", reason="settled")
    later(10)
    deliver()
    assert (mailbox.mails, states()) == ([], ["dropped"])


def test_only_the_run_that_must_be_repaired_is_told_of_not_each_level_above_it(mailbox: Post, rule: Make) -> None:
    rule()
    publish("bottom", REFUSED)
    publish("middle", "do: [{down: {run: {workflow: {namespace: tests, name: bottom, version: latest}}}}]")
    top = begin("do: [{down: {run: {workflow: {namespace: tests, name: middle, version: latest}}}}]")
    deliver()
    deliver()
    assert state(top) == "failed"
    assert subjects(mailbox) == ["[dotdo] bottom failed at charge"]
    assert "middle (run" in text(mailbox)


def test_those_whom_the_runs_above_name_are_told_of_the_one_below(mailbox: Post) -> None:
    publish("bottom", REFUSED)
    body = "do: [{down: {run: {workflow: {namespace: tests, name: bottom, version: latest}}}}]"
    name = publish_with("top", body, "notify: {email: top@example.com}")
    start_workflow(name, {})
    deliver()
    assert mailbox.envelopes == [["top@example.com"]]
    assert "bottom" in subjects(mailbox)[0]
    assert "because of workflow top:1.0.0" in text(mailbox)


def test_a_parent_that_stays_failed_when_its_child_is_gone_is_told_of_then(mailbox: Post, rule: Make) -> None:
    rule()
    publish("bottom", REFUSED)
    top = begin("do: [{down: {run: {workflow: {namespace: tests, name: bottom, version: latest}}}}]")
    deliver()
    child = Run.objects.exclude(pk=top).get()
    operations.resolve(child.pk, actor="user:ann", reason="settled")
    deliver()
    assert subjects(mailbox) == ["[dotdo] bottom failed at charge", "[dotdo] story failed at down"]


def test_a_failure_that_the_run_above_catches_is_not_told(mailbox: Post, rule: Make) -> None:
    rule()
    publish("bottom", REFUSED)
    begin(
        "do: [{safe: {try: [{down: {run: {workflow: {namespace: tests, name: bottom, version: latest}}}}], "
        "catch: {do: [{fine: {set: {ok: true}}}]}}}]"
    )
    deliver()
    assert (mailbox.mails, Notice.objects.count()) == ([], 0)


def test_a_run_that_undoes_itself_leaves_nothing_to_tell(mailbox: Post, rule: Make) -> None:
    rule()
    body = (
        "do: [{keep: {call: datastore.set, with: {key: a, value: 1}, metadata: {dotdo: {undo: {call: datastore.delete, "
        "with: {key: a}}}}}}, {charge: {call: test-refuses, with: {}}}]"
    )
    run = start_workflow(publish_with("story", body, "onFault: undo"), {})
    deliver()
    assert (state(run), Run.objects.get(pk=run).reason) == ("failed", "undone")
    assert mailbox.mails == []


def test_an_undo_that_fails_is_told_as_such(mailbox: Post, rule: Make) -> None:
    rule("undo_failed")
    body = (
        "do: [{keep: {call: datastore.set, with: {key: a, value: 1}, metadata: {dotdo: {undo: {call: test-refuses, "
        "with: {}}}}}}, {wait: {wait: {hours: 1}}}]"
    )
    run = begin(body)
    work_until_idle()
    operations.undo(run, actor="user:ann", reason="not wanted")
    deliver()
    assert subjects(mailbox) == ["[dotdo] story could not be undone at keep"]
    assert "it goes on undoing" in text(mailbox).replace("\n", " ")


def test_the_owner_of_an_action_is_told_when_a_step_or_a_run_fails_with_it(mailbox: Post) -> None:
    start_action("test-owned", {})
    begin("do: [{mine: {call: test-owned}}]")
    deliver()
    assert sorted(subjects(mailbox)) == ["[dotdo] story failed at mine", "[dotdo] test-owned failed at test-owned"]
    assert set(map(tuple, mailbox.envelopes)) == {("owner@example.com",)}


def test_an_address_that_rule_and_definition_name_is_told_once(mailbox: Post, rule: Make) -> None:
    rule(email=["owner@example.com"])
    rule(email=["owner@example.com", "other@example.com"])
    start_action("test-owned", {})
    deliver()
    assert sorted(mailbox.envelopes) == [["other@example.com"], ["owner@example.com"]]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"definitions": "st*"}, True),
        ({"definitions": "billing, story"}, True),
        ({"definitions": "billing-*"}, False),
        ({"queues": "default"}, True),
        ({"queues": "far"}, False),
        ({"enabled": False}, False),
        ({"kinds": ["undo_failed"]}, False),
    ],
)
def test_a_rule_says_which_definitions_queues_and_kinds(
    mailbox: Post, rule: Make, fields: dict[str, Any], told: bool
) -> None:
    rule(**fields)
    begin(REFUSED)
    deliver()
    assert bool(mailbox.mails) == told


def test_what_nobody_wants_to_know_leaves_no_row(handlers: None) -> None:
    begin(REFUSED)
    deliver()
    assert Notice.objects.count() == 0


WAYS = {
    "refused": (REFUSED, 0, "dead_letter"),
    "timed out": ("do: [{slow: {call: test-sleeps}}]", 0, "timed_out"),
    "raised": ("do: [{no: {raise: {error: {type: 'x:y', status: 400, title: no}}}}]", 0, "dead_letter"),
    "in a fork": (
        "do: [{both: {fork: {branches: [{one: {call: test-refuses, with: {}}}, {two: {wait: {hours: 1}}}]}}}]",
        0,
        "dead_letter",
    ),
    "took its worker down": ("do: [{a: {call: test-echo, with: {value: 1}}}]", 3, "poisoned"),
    "cannot even be read": ("do: [{a: {call: test-echo, with: {value: 1}}}]", 4, "poisoned"),
}


@pytest.mark.parametrize(("body", "crashes", "reason"), WAYS.values(), ids=WAYS)
def test_every_way_to_fail_leaves_one_notice(mailbox: Post, rule: Make, body: str, crashes: int, reason: str) -> None:
    rule()
    run = begin(body)
    Step.objects.filter(run=run).update(crashes=crashes)
    work_until_idle()
    assert Run.objects.get(pk=run).reason == reason
    assert [notice.data for notice in Notice.objects.filter(run=run)] == [{"reason": reason}]
    deliver()
    assert len(mailbox.mails) == 1


def test_a_map_that_collects_errors_tells_of_each_item_that_failed_as_one_message(mailbox: Post, rule: Make) -> None:
    rule()
    publish("item", REFUSED)
    run = begin("do: [{all: {call: map, with: {items: [1, 2], workflow: {name: item}, onError: collect}}}]")
    deliver()
    later(matching.CHILD_SECONDS)
    deliver()
    assert state(run) == "succeeded"
    assert subjects(mailbox) == ["[dotdo] 2 runs of item failed"]
