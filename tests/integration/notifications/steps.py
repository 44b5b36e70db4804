"""What the tests of notifications do and look at."""

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from tests.integration.actions.post import Post
from tests.support.engine import work_until_idle
from workflows import operations
from workflows.models import Notice, Notification
from workflows.notifications import chores

REFUSED = "do: [{charge: {call: test-refuses, with: {code: declined}}}]"


def publish_with(name: str, body: str, own: str) -> str:
    """Publish a document with settings of ours; return the name."""
    head = f"document: {{dsl: 1.0.3, namespace: tests, name: {name}, version: 1.0.0, metadata: {{dotdo: {{{own}}}}}}}\n"
    draft = operations.draft_workflow(head + body, actor="user:test")
    operations.publish_workflow(draft.pk, actor="user:test")
    return name


def deliver() -> None:
    """Work until the runs rest, then do one round of the chores."""
    work_until_idle()
    chores.watch()
    chores.send()


def later(seconds: float) -> None:
    """Let time pass for notices, messages and what they are compared with."""
    ago = timedelta(seconds=seconds)
    Notice.objects.update(created_at=F("created_at") - ago)
    Notification.objects.update(due_at=F("due_at") - ago, created_at=F("created_at") - ago)
    Notification.objects.filter(ended_at__isnull=False).update(ended_at=F("ended_at") - ago)
    Notification.objects.filter(lease_expires_at__isnull=False).update(lease_expires_at=F("lease_expires_at") - ago)


def subjects(mailbox: Post) -> list[str]:
    return [str(mail["Subject"]) for mail in mailbox.mails]


def text(mailbox: Post, number: int = -1) -> str:
    body: Any = mailbox.mails[number].get_body(("plain",))
    return str(body.get_content()).replace("\r\n", "\n")


def states() -> list[str]:
    return list(Notification.objects.order_by("id").values_list("state", flat=True))


def due_now() -> None:
    Notification.objects.filter(state="waiting").update(due_at=Now() - timedelta(seconds=1))
