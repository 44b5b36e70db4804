"""The definitions whose runs are counted in millions: forty, and one with five hundred steps."""

import uuid

from django.utils import timezone

from actions.models import Action, ActionVersion, Connection
from bench.harness import WORKFLOW
from bench.pages_sizes import ACTIONS, FLOWS, LONG_STEPS
from workflows import operations
from workflows.models import Endpoint, NotificationRule, Workflow, WorkflowVersion

TWICE_FLOW, TWICE_ACTION, SECOND = "bench-flow-30", "bench-act-7", "1.1.0"
EVERY = "schedule: {every: {hours: 1}}\n"


def publish() -> None:
    """Publish what is missing, and what stands beside it."""
    definitions(EVERY)
    for name in ("shop", "bank"):
        connection, _ = Connection.objects.get_or_create(name=name)
        Endpoint.objects.get_or_create(name=name, defaults={"connection": connection, "event_type": "order.paid"})
    told = {"kinds": ["run_failed"], "email": ["someone@example.com"]}
    NotificationRule.objects.get_or_create(name="bench", defaults=told)


def definitions(every: str = "") -> None:
    """Publish the actions and workflows that are missing; a third of the workflows with this schedule."""
    for number in range(ACTIONS):
        if not Action.objects.filter(name=f"bench-act-{number}").exists():
            _version(Action.objects.create(name=f"bench-act-{number}"), "1.0.0")
    for number in range(FLOWS):
        name = f"bench-flow-{number}"
        _publish_first(name, _document(name, "abc") + (every if number % 3 == 0 else ""))
    _publish_first("bench-long", _document("bench-long", [f"s{number}" for number in range(LONG_STEPS)]))


def publish_again() -> None:
    """Give one workflow and one action a second version, which no run has."""
    if not WorkflowVersion.objects.filter(workflow__name=TWICE_FLOW, version=SECOND).exists():
        text = _document(TWICE_FLOW, "abcd") + EVERY
        _publish(text.replace("version: 1.0.0", f"version: {SECOND}"))
    action = Action.objects.get(name=TWICE_ACTION)
    if not action.versions.filter(version=SECOND).exists():
        _version(action, SECOND)


def _version(action: Action, number: str) -> None:
    version = ActionVersion.objects.filter(action__name="bench-noop", state="published").latest("published_at")
    version.action, version.version = action, number
    version.pk, version.published_at = uuid.uuid4(), timezone.now()
    version.save(force_insert=True)


def _document(name: str, steps: object) -> str:
    lines = "\n".join(f'  - {step}: {{call: bench-act-0, with: {{n: "${{ .n }}"}}}}' for step in steps)  # type: ignore[attr-defined]
    return WORKFLOW.format(name=name, steps=lines)


def _publish_first(name: str, text: str) -> None:
    if not Workflow.objects.filter(name=name, versions__state="published").exists():
        _publish(text)


def _publish(text: str) -> None:
    operations.publish_workflow(operations.draft_workflow(text, actor="system").id, actor="system")
