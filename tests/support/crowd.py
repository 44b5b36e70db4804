"""An installation with so many of everything that a page lists, however many that is: to compare what pages cost."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from django.utils import timezone

from actions.models import Action, ActionVersion
from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, work_until_idle
from tests.support.webhooks import endpoint
from workflows import operations
from workflows.grouping import chores as grouping
from workflows.models import (
    Delivery,
    Event,
    FailureGroup,
    Notification,
    NotificationMute,
    NotificationRule,
    Run,
    Step,
    Worker,
)
from workflows.operations.batches import Choice

STORY = """
do:
  - each:
      for: {each: item, in: "${ $workflow.input.items }"}
      do: [{work: {call: test-echo, with: {value: "${ $item }"}}}]
  - mail: {call: test-outside, with: {file: "${ $workflow.input.file }", fail: 1}}
  - charge: {call: test-refuses}
"""
ASK = "do: [{ask: {call: approval, with: {title: May we?}}}]"
LISTEN = "do: [{paid: {listen: {to: {one: {with: {type: paid}}}}}}]"
PARENT = "do: [{below: {run: {workflow: {namespace: tests, name: %s-ask, version: 1.0.0}}}}]"
TICK = "schedule: {every: PT1H}\ndo: [{a: {call: test-echo, with: {value: 1}}}]"


@dataclass(frozen=True)
class Crowd:
    """What pages of single objects are asked for; each of them has as many parts as there are objects."""

    name: str
    run: UUID
    waiting: UUID
    step: UUID
    asked: tuple[UUID, UUID]
    event: UUID
    delivery: UUID
    mute: UUID
    notification: UUID
    action: str
    worker: UUID
    batch: UUID
    fingerprint: str


def crowd(name: str, count: int, folder: Path) -> Crowd:
    """Make `count` of everything, under names of its own."""
    for number in range(count):
        publish(name, STORY, f"1.{number}.0")
        publish(f"{name}-tick-{number}", TICK)
        operations.put_entry(name, f"usr_{number}", {"n": number}, expected_version=0, actor="user:test")
    for number in range(1, count):
        operations.put_entry(name, "usr_0", {"n": -number}, expected_version=number, actor="user:test")
    publish(f"{name}-ask", ASK)
    publish(f"{name}-listen", LISTEN)
    publish(f"{name}-parent", PARENT % name)
    run = _runs(name, count, folder)
    work_until_idle(60)
    event, delivery = _events(name, count)
    mute, notification = _messages(name, count)
    asked = Step.objects.filter(run__name=f"{name}-ask", function="approval:1.0.0", state="waiting").latest("id")
    return Crowd(
        name=name,
        run=run,
        waiting=asked.run_id,
        step=Step.objects.filter(run=run, state="failed").latest("id").pk,
        asked=(asked.run_id, asked.pk),
        event=event,
        delivery=delivery,
        mute=mute,
        notification=notification,
        action=_actions(name, count),
        worker=_workers(count),
        batch=_batch(name),
        fingerprint=_grouped(name),
    )


def _runs(name: str, count: int, folder: Path) -> UUID:
    """Start runs of every kind; return one that has as many steps as there are runs."""
    mail = {"items": [1], "file": str(folder / "mail")}
    for number in range(count):
        start_workflow(name, mail, title=f"{name} {number}", tags=[f"name={name}"], key=f"{name}/{number}")
        start_action("test-speaks", {"password": "hunter2"})
        for kind in ("ask", "listen", "parent"):
            start_workflow(f"{name}-{kind}", {})
    return start_workflow(name, mail | {"items": list(range(count))}, title=name)


def _events(name: str, count: int) -> tuple[UUID, UUID]:
    door = endpoint(name=f"{name}-door")
    for number in range(count):
        event = {"specversion": "1.0", "id": f"{name}{number}", "source": "/tests", "type": "news", "data": number}
        operations.deliver_event(event, actor="user:test", via="api")
        found = Event.objects.latest("id")
        delivery = Delivery.objects.create(
            endpoint=door, message_id=str(number), outcome="accepted", status=202, bytes=9, event=found,
            received_at=timezone.now(),
        )  # fmt: skip
    return found.pk, delivery.pk


def _messages(name: str, count: int) -> tuple[UUID, UUID]:
    now = timezone.now()
    rule = NotificationRule.objects.create(name=name, kinds=["run_failed"], email=["ops@example.com"])
    for number in range(count):
        notification = Notification.objects.create(
            rule=rule, channel="email", address=f"{number}@example.com", kind="run_failed", definition=name,
            state="dead", due_at=now, created_at=now, ended_at=now,
        )  # fmt: skip
        mute = NotificationMute.objects.create(
            definition=f"workflow:{name}-{number}", until=now + timedelta(days=1), by="user:test", reason="x",
            created_at=now,
        )  # fmt: skip
    return mute.pk, notification.pk


def _actions(name: str, count: int) -> str:
    """Publish actions, and one of them in as many versions."""
    echo = ActionVersion.objects.filter(action__name="test-echo").latest("published_at")
    for number in range(count):
        _copy(echo, Action.objects.create(name=f"{name}-{number}"), "1.0.0")
    many = Action.objects.create(name=f"{name}-many")
    for number in range(count):
        _copy(echo, many, f"1.{number}.0")
    for _ in range(count):
        start_action(many.name, {"value": 1})
    return many.name


def _copy(version: ActionVersion, action: Action, number: str) -> None:
    version.pk, version.action, version.version = uuid4(), action, number
    version.save(force_insert=True)


def _workers(count: int) -> UUID:
    now = timezone.now()
    rows = [
        Worker(host="here", pid=number, code_version="1", queues=["default"], started_at=now, heartbeat_at=now)
        for number in range(count)
    ]
    return Worker.objects.bulk_create(rows)[0].pk


def _batch(name: str) -> UUID:
    """Begin to resolve every failed run."""
    failed = Run.objects.filter(name=name, state="failed").values_list("pk", flat=True)
    choice = Choice(runs=tuple(failed))
    return operations.start_batch(
        "resolve", choice, actor="user:test", reason="they are old", shown=len(failed), as_of=timezone.now()
    )


def _grouped(name: str) -> str:
    grouping.group()
    return FailureGroup.objects.filter(name=name).latest("last_seen_at").fingerprint
