"""Starting runs: one run per key, refusals before anything exists."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from actions import ActionError
from actions import running as handler_state
from tests.support.engine import finished, start_action, start_workflow
from workflows import operations
from workflows.models import IdempotencyKey, Run

pytestmark = pytest.mark.usefixtures("handlers")


def test_twenty_concurrent_starts_with_one_key_make_one_run() -> None:
    def start(_: int) -> tuple[uuid.UUID, bool]:
        try:
            started = operations.start_action("test-echo", {"value": 1}, actor="u", trigger="test", key="order-1")
            return started.run_id, started.created
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(start, range(20)))
    assert len({run_id for run_id, _ in results}) == 1
    assert sum(created for _, created in results) == 1
    assert Run.objects.count() == IdempotencyKey.objects.count() == 1


def test_the_same_key_and_input_is_the_same_run_with_its_original_result() -> None:
    first = start_action("test-echo", {"value": "once"}, key="k")
    finished(first)
    again = operations.start_action("test-echo", {"value": "once"}, actor="u", trigger="test", key="k")
    assert (again.run_id, again.created) == (first, False)


def test_the_same_key_with_other_input_is_a_conflict_that_says_where() -> None:
    first = start_action("test-echo", {"value": {"a": 1, "b": 2}}, key="k")
    with pytest.raises(operations.KeyConflict) as conflict:
        start_action("test-echo", {"value": {"a": 1, "b": 3}}, key="k")
    assert conflict.value.run_id == first
    assert conflict.value.differences == ["/value/b differs"]
    with pytest.raises(operations.KeyConflict) as conflict:
        start_action("test-echo", {"value": {"a": 1, "b": 2}}, key="k", version="1.0.0")
    assert "version" in conflict.value.differences[0]


def test_one_key_may_serve_two_definitions() -> None:
    assert start_action("test-echo", {"value": 1}, key="k") != start_action("test-ledger", {"name": "x"}, key="k")


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256, "a\n"])
def test_a_key_that_cannot_be_a_header_is_refused(key: str) -> None:
    with pytest.raises(operations.KeyInvalid):
        start_action("test-echo", {}, key=key)


def test_input_that_breaks_the_schema_makes_no_run_and_names_every_problem() -> None:
    with pytest.raises(operations.InputInvalid) as refused:
        start_action("test-ledger", {"nome": 1, "die": 2})
    assert {problem.pointer for problem in refused.value.problems} >= {"/name", "/nome", "/die"}
    assert not Run.objects.exists()


def test_an_unknown_definition_names_its_neighbours() -> None:
    with pytest.raises(operations.UnknownDefinition) as refused:
        start_action("test-ehco", {})
    assert refused.value.near[0] == "test-echo"
    with pytest.raises(operations.UnknownDefinition):
        start_action("test-echo", {}, version="9.9.9")


def test_a_handler_cannot_start_a_run() -> None:
    with handler_state.handler(handler_state.Running("test", transactional=True)), pytest.raises(ActionError):
        start_action("test-echo", {})


def test_a_workflow_chooses_the_queue_and_the_priority_of_its_runs() -> None:
    draft = operations.draft_workflow(
        "document: {dsl: 1.0.3, namespace: t, name: urgent, version: 1.0.0, metadata: {dotdo: {queue: fast, "
        "priority: 0}}}\ndo: [{a: {set: {b: 1}}}]",
        actor="user:test",
    )
    operations.publish_workflow(draft.id, actor="user:test")
    run = Run.objects.get(pk=start_workflow("urgent", {}))
    assert (run.queue, run.priority) == ("fast", 0)
    step = run.steps.get()
    assert (step.queue, step.priority) == ("fast", 0)
    other = Run.objects.get(pk=start_action("test-echo", {"value": 1}))
    assert (other.queue, other.priority) == ("default", 2)
