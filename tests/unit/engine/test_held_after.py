"""What a checkpoint leased to its writer is what a claim would have returned: all else of branch and run stays."""

import uuid
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from audit.recording import Link
from workflows.checkpoint import NextStep, Progress, StepWrite, Written, held_after
from workflows.claim import Claimed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OF_THE_STEP = {
    "step", "key", "ref", "name", "kind", "function", "attempt", "failures", "claim", "crashes", "generation", "wake",
    "action_version", "queue", "priority", "input",
}  # fmt: skip
MOVED = {"rest", "revision", "cursor", "audit_seq", "audit_head", "run_state", "context", "now", "cut_off"}


def test_no_field_of_a_held_step_is_lost_or_mixed_up_when_its_worker_goes_on() -> None:
    given: Any = {field.name: f"held {field.name}" for field in fields(Claimed)} | {"revision": 6}
    held = Claimed(**given)
    link = Link(uuid.UUID(int=1), 9, None, "step.succeeded", "", "", NOW, "{}", b"head")
    step = StepWrite(state="succeeded", key="k", ref="r", name="n", kind="call", function="f:1", action_version=None)
    following = NextStep(
        id=uuid.UUID(int=2), key="next", ref="/do/1", name="b", kind="call", function="g:1", input={"n": 1}, claim=4
    )
    progress = Progress(step=step, cursor={"steps": 7}, links=[link], next=[following], rest="timer")
    after = held_after(held, progress, following, Written(NOW, "running", {"c": 1}))
    for name in given.keys() - OF_THE_STEP - MOVED:
        assert getattr(after, name) == f"held {name}"
    assert (after.step, after.claim, after.input, after.function) == (following.id, 5, {"n": 1}, "g:1")
    assert (after.revision, after.cursor, after.audit_seq, after.audit_head) == (7, {"steps": 7}, 9, b"head")
    assert (after.run_state, after.context, after.now, after.rest) == ("running", {"c": 1}, NOW, "timer")
