"""What a transactional handler does to the transaction that it shares with its checkpoint."""

from pathlib import Path

import pytest

from tests.support.engine import begin, finished, start_action
from tests.support.interleaving import Doing, after_checkpoint, work_on
from tests.support.soundness import assert_sound
from workflows import calling, claim
from workflows.identity import Identity
from workflows.job import load
from workflows.models import Attempt, Entry, Step

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.mark.parametrize(
    ("how", "code", "attempts"),
    [("raise", "integrity_error", 3), ("own", "duplicate", 1), ("swallow", "database_error", 3)],
)
def test_a_handler_whose_orm_call_failed_keeps_its_own_words_its_log_and_nothing_else(
    how: str, code: str, attempts: int
) -> None:
    run = finished(start_action("test-clash", {"how": how}))
    step = run.steps[0]
    assert (run.state, [view.error["code"] for view in step.attempts]) == ("failed", [code] * attempts)
    assert [line["message"] for line in step.attempts[0].log] == ["before"]
    assert not Entry.objects.filter(namespace="clash").exists()
    assert_sound(run.id)
    if how == "swallow":
        assert "went on" in step.attempts[0].error["message"]


def test_what_a_failed_attempt_asked_for_on_commit_is_dropped_with_what_it_wrote(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    run = finished(start_action("test-promises", {"file": str(file)}))
    assert (run.state, len(run.steps[0].attempts)) == ("succeeded", 2)
    assert file.read_text().splitlines() == ["2 outside", "2 inside"]


def test_a_commit_that_arrives_while_a_worker_hands_back_leaves_it_no_step_that_it_forgot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = "{{call: test-ledger, with: {{name: {0}}}}}"
    run_id = begin("do:\n" + "".join(f"  - {name}: {call.format(name)}\n" for name in ("a", "b")))
    work_on("a", on=False).done()  # the start turns into it
    turn, me = after_checkpoint("a", monkeypatch), Identity()
    held = claim.take("default", 2, me.id, 30.0)
    assert held is not None
    lost = Doing(lambda: calling.call(load(held), me.lessee(keep=lambda: True), me.heartbeat))
    turn.reached()
    handing_back = Doing(lambda: claim.release(me.id))
    assert handing_back.blocked(), "the COMMIT is still under way"
    turn.go()
    lost.done()
    handing_back.done()
    assert Step.objects.get(run=run_id, name="b").state == "ready"
    assert (finished(run_id).state, Attempt.objects.filter(outcome="crashed").count()) == ("succeeded", 0)
    assert_sound(run_id)
