"""A single action as a run: success, retries, dead letters, repair."""

from pathlib import Path

import pytest

from audit.verify import verify
from tests.support.engine import finished, shown, start_action, work_until_idle
from workflows import operations
from workflows.models import Attempt, Entry, Run, Step

pytestmark = pytest.mark.usefixtures("handlers")


def test_an_action_runs_and_its_result_is_the_runs_output() -> None:
    run = finished(start_action("test-echo", {"value": {"a": [1, 2]}}))
    assert (run.state, run.output) == ("succeeded", {"a": [1, 2]})
    assert [step.state for step in run.steps] == ["succeeded"]
    assert Attempt.objects.count() == 0, "a quiet first success needs no row of its own"
    assert [view.outcome for view in run.steps[0].attempts] == ["succeeded"]


def test_a_retried_action_keeps_its_idempotency_key_and_every_attempt(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    run = finished(start_action("test-outside", {"file": str(file), "fail": 2}))
    assert (run.state, run.output) == ("succeeded", {"attempt": 3})
    keys = [line.split()[0] for line in file.read_text().splitlines()]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert [view.outcome for view in run.steps[0].attempts] == ["failed", "failed", "succeeded"]


def test_what_cannot_succeed_waits_as_a_dead_letter_and_a_retry_gets_a_new_effect_key() -> None:
    run_id = start_action("test-refuses", {})
    run = finished(run_id)
    assert (run.state, run.label) == ("failed", "dead_letter")
    assert run.error["code"] == "declined"
    assert "the other side said no" in run.now
    assert run.can_retry is None
    before = run.steps[0].idempotency_key
    operations.retry(run_id, actor="user:test", reason="they fixed it")
    again = finished(run_id)
    assert again.state == "failed"
    assert again.steps[0].attempt == 2
    assert again.steps[0].idempotency_key != before, "a definite refusal frees the key"


def test_attempts_are_exhausted_by_policy_and_a_retry_begins_a_new_round(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    run_id = start_action("test-outside", {"file": str(file), "fail": 4})
    assert finished(run_id).state == "failed"
    operations.retry(run_id, actor="user:test", reason="again")
    run = finished(run_id)
    assert (run.state, run.output) == ("succeeded", {"attempt": 5})
    assert len({line.split()[0] for line in file.read_text().splitlines()}) == 1, "an unknown outcome keeps the key"


def test_a_failed_transactional_handler_leaves_nothing_behind() -> None:
    run = finished(start_action("test-ledger", {"name": "gone", "die": "fail"}))
    assert run.state == "failed"
    assert not Entry.objects.filter(key__startswith="gone").exists()


def test_a_result_that_breaks_its_schema_is_a_failure_and_commits_nothing() -> None:
    run = finished(start_action("test-bad-output", {"name": "bad"}))
    assert (run.state, run.error["code"]) == ("failed", "invalid_output")
    assert not Entry.objects.filter(key="bad").exists()


def test_a_violation_that_shows_at_commit_is_the_handlers_failure() -> None:
    run = finished(start_action("test-deferred", {}))
    assert (run.state, run.error["code"]) == ("failed", "integrity_error")


def test_a_handler_past_its_time_is_stopped_and_parked_as_timed_out() -> None:
    run = finished(start_action("test-sleeps", {}))
    assert (run.state, run.label, run.error["code"]) == ("failed", "timed_out", "timeout")


def test_an_action_cannot_call_an_action() -> None:
    run = finished(start_action("test-nested", {}))
    assert run.error["code"] == "nested_action"
    assert "workflow" in run.error["detail"]


def test_logs_are_kept_with_the_attempt_and_secrets_are_not() -> None:
    run = finished(start_action("test-speaks", {"password": "hunter2secret"}))
    messages = str(run.steps[0].attempts[0].log)
    assert "hello" in messages
    assert "printed" in messages
    assert "hunter2secret" not in messages
    assert "hunter2secret" not in str(run.input)


def test_a_cancelled_run_stays_cancelled_and_its_step_never_runs(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    run_id = start_action("test-outside", {"file": str(file)})
    operations.cancel(run_id, actor="user:test", reason="changed my mind")
    run = finished(run_id)
    assert run.state == "cancelled"
    assert not file.exists()
    with pytest.raises(operations.NotAllowed):
        operations.retry(run_id, actor="user:test", reason="no")
    with pytest.raises(operations.NotAllowed):
        operations.cancel(run_id, actor="user:test", reason="no")


def test_large_values_are_stored_once_and_come_back_whole() -> None:
    value = {"text": "x" * 50_000}
    run = finished(start_action("test-echo", {"value": value}))
    assert run.output == value
    assert run.steps[0].input == {"value": value}
    stored = Step.objects.get().input
    assert stored is not None
    assert stored.keys() == {"$payload"}


def test_a_value_that_looks_like_a_reference_is_not_taken_for_one() -> None:
    value = {"$payload": "0" * 64}
    assert finished(start_action("test-echo", {"value": value})).output == value


def test_every_chain_verifies_after_successes_failures_and_repairs(tmp_path: Path) -> None:
    start_action("test-echo", {"value": 1})
    failing = start_action("test-outside", {"file": str(tmp_path / "f"), "fail": 4})
    work_until_idle()
    operations.retry(failing, actor="user:test", reason="again")
    work_until_idle()
    result = verify()
    assert result.broken == []
    assert result.events > 8
    assert {Run.objects.get(pk=failing).state} == {"succeeded"}
    assert shown(failing).steps_done == 1
