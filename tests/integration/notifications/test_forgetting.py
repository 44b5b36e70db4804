"""What is long over is forgotten, whatever stands before it; what was not told, or lasts, is kept."""

from collections.abc import Callable

import pytest

from tests.integration.actions.post import Post
from tests.integration.actions.web import Web
from tests.integration.notifications.steps import REFUSED, deliver, later, states
from tests.integration.notifications.test_bounded import child_of
from tests.integration.notifications.test_lasting import LISTEN, age
from tests.support.documents import publish
from tests.support.engine import begin, start_workflow, work_until_idle
from workflows import operations
from workflows.models import Notice, Notification, NotificationItem, NotificationRule
from workflows.notifications import chores, watching
from workflows.notifications.places import Place

Make = Callable[..., NotificationRule]
MONTH = 31 * 86_400


@pytest.fixture(autouse=True)
def a_walk_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_forgotten", Place.at(0))


def test_waits_that_last_for_months_hide_nothing_that_is_over(
    mailbox: Post, rule: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule("waiting_too_long", "dead_letter", after_seconds=60)
    publish("story", LISTEN)
    for _ in range(5):
        start_workflow("story", {})
    work_until_idle()
    age(2)
    deliver()
    start_workflow(publish("fails", REFUSED), {})
    deliver()
    later(MONTH)
    monkeypatch.setattr(watching, "BATCH", 2)
    for _ in range(4):
        watching.forget()
    assert list(Notice.objects.values_list("kind", flat=True)) == ["waiting_too_long"] * 5
    Notice.objects.filter(kind="waiting_too_long").update(episode="00000000-0000-0000-0000-000000000000")
    for _ in range(4):
        watching.forget()
    assert not Notice.objects.exists()


def test_a_run_that_is_parked_for_a_month_on_the_one_below_it_is_told_of_after_that(mailbox: Post, rule: Make) -> None:
    publish("bottom", REFUSED)
    publish("story", "do: [{down: {run: {workflow: {namespace: tests, name: bottom, version: latest}}}}]")
    rule(definitions="story")
    top = start_workflow("story", {})
    for _ in range(3):
        deliver()
    later(MONTH)
    watching.forget()
    assert list(Notice.objects.values_list("run", "state")) == [(top, "new")]
    operations.resolve(child_of(top), actor="user:ann", reason="settled")
    chores.send()
    assert [str(mail["Subject"]) for mail in mailbox.mails] == ["[dotdo] story failed at down"]


def test_what_was_gone_is_forgotten_but_for_the_sign_that_the_address_is(server: Web, rule: Make) -> None:
    rule(webhook=server.url("/status/410"))
    begin(REFUSED)
    deliver()
    Notification.objects.create(
        channel="webhook", address=server.url("/status/410"), kind="test", state="gone", due_at="2026-01-01T00:00:00Z",
        created_at="2026-01-01T00:00:00Z", ended_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    later(MONTH)
    for _ in range(2):
        watching.forget()
    assert (states(), NotificationItem.objects.count(), Notice.objects.count()) == (["gone"], 0, 0)
    start_workflow("story", {})
    deliver()
    assert len(server.requests) == 1
