"""What a deploy ended counts no crash: three deploys in a row do not make a long handler a poisoned step."""

import uuid

import pytest

from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow
from workflows import claim, driving
from workflows.identity import identity
from workflows.models import Step

pytestmark = pytest.mark.usefixtures("handlers")
WHY = "ended by a deploy"
CALL = "{call: %s, with: {file: '${ $workflow.input.file }'}}"


def handed_back(run_id: uuid.UUID) -> Step:
    """Let a worker hold the due step, and give it back."""
    held_by = uuid.uuid4()
    assert claim.take("default", 2, held_by, 300.0)
    assert claim.hand_back(held_by, WHY) == 1
    return Step.objects.get(run=run_id, state="ready")


def in_workflow(body: str) -> uuid.UUID:
    return start_workflow(publish("deployed", body), {"file": "/nowhere"})


def test_an_attempt_that_a_deploy_ended_is_told_of_and_counts_no_crash() -> None:
    run_id = start_action("test-outside", {"file": "/nowhere"})
    for number in range(1, 4):
        step = handed_back(run_id)
        assert (step.crashes, step.attempt) == (0, number)
    assert [attempt.error["message"] for attempt in step.attempts.all() if attempt.error] == [WHY] * 3


def test_an_action_that_asks_for_a_person_after_a_crash_has_crashed() -> None:
    assert handed_back(start_action("test-outage", {"file": "/nowhere"})).crashes == 1


@pytest.mark.parametrize(("first", "crashes"), [("test-outage", 1), ("test-outside", 0)])
def test_the_first_call_of_a_run_is_known_before_it_is_a_step_of_its_own(first: str, crashes: int) -> None:
    other = "test-outside" if first == "test-outage" else "test-outage"
    run_id = in_workflow(f"do: [{{one: {CALL % first}}}, {{two: {CALL % other}}}]")
    assert handed_back(run_id).crashes == crashes


@pytest.mark.parametrize(("inner", "crashes"), [("test-outage", 1), ("test-outside", 0)])
def test_a_first_call_within_a_block_goes_by_what_the_document_may_call(inner: str, crashes: int) -> None:
    assert handed_back(in_workflow(f"do: [{{block: {{do: [{{one: {CALL % inner}}}]}}}}]")).crashes == crashes


@pytest.mark.parametrize(("first", "crashes"), [("test-outage", 1), ("test-outside", 0)])
def test_a_call_that_is_a_step_of_its_own_goes_by_its_own_action(first: str, crashes: int) -> None:
    other = "test-outside" if first == "test-outage" else "test-outage"
    run_id = in_workflow(f"do: [{{one: {CALL % first}}}, {{two: {CALL % other}}}]")
    held = claim.take("default", 2, identity().id, 300.0)
    assert held is not None
    driving.drive(held, identity(), 0.0)
    step = handed_back(run_id)
    assert (step.kind, step.crashes) == ("call", crashes)
