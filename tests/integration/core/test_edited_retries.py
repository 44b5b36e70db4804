"""Retry with another input: it is checked, kept, sent under another key, and every attempt keeps what it had."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from actions.sensitive import MASK
from audit.models import AuditEvent
from dotdo_site.lib import canonical
from tests.support.engine import begin, finished, shown, start_action, start_workflow
from workflows import claim, driving, operations
from workflows.claim import Claimed
from workflows.identity import Identity, identity
from workflows.models import Payload, Step
from workflows.operations import AnswerInvalid, NotAllowed, UnknownStep
from workflows.queries import RunDetail

pytestmark = pytest.mark.usefixtures("handlers")
BY: dict[str, Any] = {"actor": "user:olga", "reason": "a typo"}


def failed(code: str = "declined") -> RunDetail:
    run = finished(begin("do: [{charge: {call: test-refuses, with: {code: " + code + "}}}]"))
    assert run.state == "failed"
    return run


def edit(run_id: uuid.UUID, key: str, value: Any, **options: Any) -> None:
    operations.retry(run_id, edits={key: value}, **BY, **options)


def test_the_worker_uses_the_new_input_under_another_idempotency_key(tmp_path: Path) -> None:
    wrong, right = tmp_path / "missing" / "file", tmp_path / "file"
    run = finished(begin(f"do: [{{a: {{call: test-outside, with: {{file: {wrong}}}}}}}, {{b: {{call: test-echo}}}}]"))
    step = run.steps[0]
    assert (run.state, step.generation) == ("failed", 0)
    edit(run.id, step.key, {"file": str(right)}, confirmed=True)
    after = finished(run.id)
    assert after.state == "succeeded"
    assert (after.steps[0].input, after.steps[0].generation) == ({"file": str(right)}, 1)
    assert right.read_text().split()[0].endswith(":1"), "the key that the handler was given"
    assert {attempt.input["file"] for attempt in after.steps[0].attempts[:3]} == {str(wrong)}


def test_a_refusal_raises_the_generation_once_and_the_trail_has_both_digests() -> None:
    run = failed()
    step = run.steps[0]
    edit(run.id, step.key, {"code": "expired"})
    after = finished(run.id)
    assert after.steps[0].generation == 1
    assert [attempt.input for attempt in after.steps[0].attempts] == [{"code": "declined"}, {"code": "expired"}]
    event = AuditEvent.objects.get(kind="run.retried")
    assert step.key in event.data
    assert '"now"' in event.data
    assert "expired" not in event.data, "digests, not values"
    assert (event.actor, event.reason) == ("user:olga", "a typo")


def test_a_hidden_field_cannot_be_found_by_trying_values_against_the_trail() -> None:
    run = finished(begin("do: [{a: {call: test-secretive, with: {token: '1234', fail: true}}}]"))
    edit(run.id, run.steps[0].key, {"token": "5678", "fail": True})
    data = AuditEvent.objects.get(kind="run.retried").data
    for token in ("1234", "5678"):
        assert canonical.digest({"token": token, "fail": True}) not in data


def test_the_same_input_is_a_plain_retry(tmp_path: Path) -> None:
    run = finished(begin(f"do: [{{a: {{call: test-outside, with: {{file: {tmp_path}}}}}}}]"))
    edit(run.id, run.steps[0].key, {"file": str(tmp_path)})
    assert Step.objects.get(run=run.id).generation == 0
    assert "edited" not in AuditEvent.objects.get(kind="run.retried").data


def test_all_problems_are_named_and_nothing_is_changed() -> None:
    run = failed()
    with pytest.raises(AnswerInvalid) as refused:
        edit(run.id, run.steps[0].key, {"code": 1, "retryable": "yes", "more": 1})
    assert {problem.pointer for problem in refused.value.problems} >= {"/code", "/retryable"}
    assert shown(run.id).steps[0].input == {"code": "declined"}
    assert shown(run.id).state == "failed"


def test_what_nobody_knows_the_outcome_of_asks_for_a_confirmation(tmp_path: Path) -> None:
    run = finished(begin(f"do: [{{a: {{call: test-outside, with: {{file: {tmp_path}}}}}}}]"))
    with pytest.raises(NotAllowed, match="Nobody knows"):
        edit(run.id, run.steps[0].key, {"file": str(tmp_path / "x")})
    assert operations.check_edit(run.id, run.steps[0].key, {"file": "x"}).unsure


def test_a_definite_refusal_needs_no_confirmation() -> None:
    assert not operations.check_edit(failed().id, "/do/0/charge", {"code": "x"}).unsure


def test_a_masked_field_keeps_its_value_and_a_mask_is_never_sent() -> None:
    run = finished(begin("do: [{a: {call: test-secretive, with: {token: hunter2, fail: true}}}]"))
    step = run.steps[0]
    assert step.input == {"token": MASK, "fail": True}
    checked = operations.check_edit(run.id, step.key, {"token": MASK, "fail": False})
    assert (checked.problems, checked.before, checked.after) == ([], step.input, {"token": MASK, "fail": False})
    edit(run.id, step.key, {"token": MASK, "fail": False})
    assert finished(run.id).output == {"length": len("hunter2")}
    again = finished(start_workflow("story", {}))
    with pytest.raises(AnswerInvalid):
        edit(again.id, step.key, {"token": "x", "fail": MASK})


def test_what_is_typed_over_a_mask_is_another_input_whether_or_not_it_is_the_same() -> None:
    run = finished(begin("do: [{a: {call: test-secretive, with: {token: hunter2, fail: true}}}]"))
    step = run.steps[0]
    for guess in ("hunter2", "wrong"):
        assert operations.check_edit(run.id, step.key, {"token": guess, "fail": True}).changed
    edit(run.id, step.key, {"token": "hunter2", "fail": True})
    assert finished(run.id).steps[0].generation == 1
    assert "edited" in AuditEvent.objects.get(kind="run.retried").data


def test_a_large_input_is_stored_once_and_read_by_the_worker() -> None:
    run = finished(begin("do: [{a: {call: test-secretive, with: {token: x, fail: true}}}]"))
    edit(run.id, run.steps[0].key, {"token": "y" * 10_000})
    assert finished(run.id).output == {"length": 10_000}
    assert Payload.objects.filter(run=run.id).count() == 1


def test_several_failed_calls_are_edited_together() -> None:
    body = "do: [{both: {fork: {branches: [%s]}}}]"
    branch = "{%s: {call: test-refuses, with: {code: %s}}}"
    run_id = begin(body % ", ".join(branch % (name, "declined") for name in ("left", "right")))
    me = identity()
    calls: list[Claimed] = []
    while len(calls) < 2:  # both are under way before either fails
        held = _taken(me)
        if held.kind == "call":
            calls.append(held)
        else:
            driving.drive(held, me, 0.0)
    for held in calls:
        driving.drive(held, me, 0.0)
    run = shown(run_id)
    keys = [step.key for step in run.steps if step.state == "failed"]
    assert len(keys) == 2
    with pytest.raises(AnswerInvalid) as refused:
        operations.retry(run.id, edits={key: {"code": 1} for key in keys}, **BY)
    assert len({problem.pointer for problem in refused.value.problems}) == 2
    operations.retry(run.id, edits={key: {"code": "expired"} for key in keys}, **BY)
    assert {step.generation for step in finished(run.id).steps if step.key in keys} == {1}


def test_what_has_no_input_of_its_own_and_what_did_not_fail_is_refused() -> None:
    run = finished(begin("do: [{a: {call: test-echo}}, {b: {raise: {error: {type: x, status: 500}}}}]"))
    for step in run.steps:
        with pytest.raises(NotAllowed):
            edit(run.id, step.key, {})
    with pytest.raises(UnknownStep):
        edit(run.id, "/do/9/none", {})
    done = finished(start_action("test-echo", {"value": 1}))
    with pytest.raises(NotAllowed, match="succeeded"):
        edit(done.id, done.steps[0].key, {"value": 2})


def _taken(me: Identity) -> Claimed:
    held = claim.take("default", 2, me.id, 30.0)
    assert held is not None
    return held
