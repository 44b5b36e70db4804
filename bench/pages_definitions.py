"""The definitions whose runs are counted in millions: forty, and one with five hundred steps."""

import uuid

from django.utils import timezone

from actions.models import Action, ActionVersion, Connection
from bench.harness import WORKFLOW
from bench.pages_rows import ACTIONS, FLOWS, LONG_STEPS
from workflows import operations
from workflows.models import Endpoint, Workflow

EVERY = "schedule: {every: {hours: 1}}\n"


def publish() -> None:
    """Publish what is missing."""
    for number in range(ACTIONS):
        _copy(f"bench-act-{number}")
    for number in range(FLOWS):
        name = f"bench-flow-{number}"
        _publish(name, _document(name, "abc") + (EVERY if number % 3 == 0 else ""))
    _publish("bench-long", _document("bench-long", [f"s{number}" for number in range(LONG_STEPS)]))
    for name in ("shop", "bank"):
        connection, _ = Connection.objects.get_or_create(name=name)
        Endpoint.objects.get_or_create(name=name, defaults={"connection": connection, "event_type": "order.paid"})


def _copy(name: str) -> None:
    if Action.objects.filter(name=name).exists():
        return
    version = ActionVersion.objects.filter(action__name="bench-noop", state="published").latest("published_at")
    version.action = Action.objects.create(name=name)
    version.pk, version.published_at = uuid.uuid4(), timezone.now()
    version.save(force_insert=True)


def _document(name: str, steps: object) -> str:
    lines = "\n".join(f'  - {step}: {{call: bench-act-0, with: {{n: "${{ .n }}"}}}}' for step in steps)  # type: ignore[attr-defined]
    return WORKFLOW.format(name=name, steps=lines)


def _publish(name: str, text: str) -> None:
    if not Workflow.objects.filter(name=name, versions__state="published").exists():
        operations.publish_workflow(operations.draft_workflow(text, actor="system").id, actor="system")
