"""What an installation needs before work can begin: actions, workflows, people's keys."""

from actions import registry, sync
from dotdo_site.access import keys, people
from dotdo_site.access.scopes import SCOPES
from tests.chaos import documents
from tests.chaos.api import Caller
from workflows import operations
from workflows.models import NotificationRule
from workflows.notifications import kinds

KEYS = 40  # requests are limited for each key
NOTICE_SECONDS = 2
EVERY_SCOPE = [scope.replace("<pattern>", "*") for scope in SCOPES]


def actions_and_keys() -> list[str]:
    """Register the actions in Python, name who is told of dead letters, and issue API keys; return the keys."""
    registry.discover()
    sync.sync(registry.specs(), actor="system")
    owner = people.administrator("admin")
    NotificationRule.objects.create(
        name="chaos", kinds=list(kinds.OF_FAILED_RUNS), email=["ada@example.com"], group_seconds=NOTICE_SECONDS
    )
    return [keys.issue(f"client {n}", owner, EVERY_SCOPE, actor="cli:chaos")[1] for n in range(KEYS)]


def publish(caller: Caller, sink: str) -> None:
    """Publish the actions without code through the API, then the workflows. Raises RuntimeError."""
    for action in (documents.http_action(sink), documents.mail_action()):
        _expect(caller, "/api/v1/actions", action)
        _expect(caller, f"/api/v1/actions/{action['name']}/versions/1.0.0/publication", {"reason": "chaos"})
    for name in documents.DOCUMENTS:
        draft = operations.draft_workflow(documents.source(name), actor="system")
        operations.publish_workflow(draft.id, actor="system")


def _expect(caller: Caller, path: str, body: object) -> None:
    answer = caller.once("POST", path, body)
    if answer is None or not answer.ok:
        raise RuntimeError(f"{path}: {answer}")
