"""What a published workflow is locked to: exact versions of actions, of what undoes them, and of other workflows."""

from typing import Any

import pytest
from django.utils import timezone

from actions.models import Action, ActionVersion, Connection
from tests.support.documents import HEAD, publish
from workflows import operations
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db


def published(name: str, version: str = "1.0.0", **more: Any) -> None:
    action, _ = Action.objects.get_or_create(name=name)
    now = timezone.now()
    ActionVersion.objects.create(
        action=action, version=version, state="published", kind="http", published_at=now, **more
    )


def lock(name: str) -> Any:
    return WorkflowVersion.objects.get(workflow__name=name).lock


def problems(tasks: str, use: str = "") -> list[tuple[str, str]]:
    _, found = operations.check_workflow(HEAD % ("tried", "1.0.0") + use + f"do:\n{tasks}")
    return [(problem.pointer, problem.message) for problem in found]


def test_a_call_is_locked_with_the_newest_version_of_what_undoes_it() -> None:
    fields = {"type": "object", "properties": {"id": {}, "reason": {}}}
    published("book-car", undo="cancel-car")
    published("cancel-car", "1.0.0")
    published("cancel-car", "1.1.0", input_schema=fields)
    publish("trip", "do:\n- book: {call: book-car}\n")
    assert lock("trip") == {
        "book-car": "book-car:1.0.0",
        "undo:book-car": {"function": "cancel-car", "version": "1.1.0", "fields": ["id", "reason"]},
    }


def test_an_action_whose_undo_is_not_published_cannot_be_called_without_another_one() -> None:
    published("book-boat", undo="cancel-boat")
    published("send-mail")
    ((pointer, message),) = problems("- book: {call: book-boat}")
    assert pointer == "/do/0/book/call"
    assert "`cancel-boat` as its undo, which is not published" in message
    assert problems("- book: {call: book-boat, metadata: {dotdo: {undo: {call: send-mail}}}}") == []


def test_a_child_workflow_is_locked_to_the_version_that_was_published_last() -> None:
    publish("invoice", "do:\n- a: {set: {}}\n", "1.0.0")
    publish("invoice", "do:\n- a: {set: {}}\n", "2.0.0")
    tasks = "do:\n- a: {run: {workflow: {namespace: tests, name: invoice, version: latest}}}\n"
    publish("order", tasks + "- b: {call: map, with: {items: [], workflow: {name: invoice, version: 1.0.0}}}\n")
    publish("invoice", "do:\n- a: {set: {}}\n", "3.0.0")
    assert lock("order") == {
        "map": "map:1.0.0",
        "workflow:tests/invoice:latest": "2.0.0",
        "workflow:tests/invoice:1.0.0": "1.0.0",
    }


def test_a_workflow_may_start_itself() -> None:
    publish("again", "do:\n- a: {if: .n, run: {workflow: {namespace: tests, name: again, version: latest}}}\n")
    assert lock("again") == {"workflow:tests/again:latest": "1.0.0"}


def test_an_unknown_workflow_is_named_with_the_nearest_of_its_namespace() -> None:
    publish("invoice", "do:\n- a: {set: {}}\n")
    ((pointer, message),) = problems("- a: {run: {workflow: {namespace: tests, name: invoise, version: latest}}}")
    assert pointer == "/do/0/a/run/workflow/name"
    assert message.endswith("Did you mean `invoice`?")
    ((pointer, message),) = problems("- a: {run: {workflow: {namespace: others, name: invoice, version: latest}}}")
    assert "in the namespace `others`" in message


def test_a_name_that_another_namespace_has_is_a_problem_beside_the_others() -> None:
    publish("invoice", "do:\n- a: {set: {}}\n")
    document = "{dsl: 1.0.3, namespace: others, name: invoice, version: 1.0.0}"
    _, found = operations.check_workflow(f"document: {document}\ndo: [{{a: {{call: nothing}}}}]")
    assert [problem.pointer for problem in found] == ["/do/0/a/call", "/document/name"]
    taken = "the name `invoice` is taken by the namespace `tests`; names are unique here. Choose another name."
    assert found[1].message == taken


def test_a_secret_is_a_connection() -> None:
    use = "use: {secrets: [crm]}\n"
    assert problems("- a: {set: {}}", use) == [
        ("/use/secrets/0", "there is no connection `crm`. Make a connection of this name in the admin first.")
    ]
    Connection.objects.create(name="crm")
    assert problems("- a: {set: {}}", use) == []


def test_the_cron_text_is_one_that_the_scheduler_understands() -> None:
    assert problems("- a: {set: {}}", "schedule: {cron: 0 2 31 2 *}\n")[0][0] == "/schedule/cron"
    assert problems("- a: {set: {}}", "schedule: {cron: 0 2 * * MON-FRI}\n") == []
