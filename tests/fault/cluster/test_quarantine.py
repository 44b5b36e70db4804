"""What the engine cannot digest is put aside by itself, with its reason, and everybody else goes on."""

import uuid
from typing import Any

import pytest

from audit.verify import verify
from tests.support.documents import publish
from tests.support.engine import finished, shown, start_workflow, work_until_idle
from workflows import driving, job, operations, progress, queries
from workflows.claim import Claimed
from workflows.engine.messages import Message
from workflows.job import Job
from workflows.models import Run

pytestmark = pytest.mark.usefixtures("handlers")
STORY = "do: [{first: {wait: {milliseconds: 1}}}, {second: {call: test-echo, with: {value: 1}}}]"


def runs() -> tuple[uuid.UUID, uuid.UUID]:
    """Start a run that is going to be bad, and one that is not."""
    return start_workflow(publish("bad", STORY), {}), start_workflow(publish("good", STORY), {})


def quarantined(bad: uuid.UUID, good: uuid.UUID, says: str) -> None:
    """Expect that one run is put aside for the reason it has, whole, and that the other one is done."""
    work_until_idle()
    run = shown(bad)
    assert (run.state, run.label, run.reason) == ("failed", "quarantined", "quarantined")
    assert says in run.now
    assert run.steps[-1].crashes == 0, "no worker died"
    assert Run.objects.get(id=good).state == "succeeded"
    assert [row.id for row in queries.runs(queries.RunFilter(label="quarantined")).items] == [bad]
    assert verify().broken == []


def test_an_illegal_move_that_the_database_refuses_puts_that_run_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = runs()
    succeeded = progress.succeeded

    def planted(job: Job, *rest: Any, **named: Any) -> Any:
        wanted = succeeded(job, *rest, **named)
        if job.held.run == bad:
            wanted.step.state = "nonsense"
        return wanted

    monkeypatch.setattr(progress, "succeeded", planted)
    quarantined(bad, good, "running -> nonsense refused")


def test_a_broken_assertion_of_the_engine_puts_that_run_aside_until_it_is_repaired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, good = runs()
    advance = Job.advance

    def planted(job: Job, message: Message, *rest: Any) -> Any:
        assert job.held.run != bad, "a frame is missing"
        return advance(job, message, *rest)

    monkeypatch.setattr(Job, "advance", planted)
    quarantined(bad, good, "a frame is missing")
    monkeypatch.undo()
    operations.retry(bad, actor="user:test", reason="repaired")
    assert finished(bad).state == "succeeded"
    assert verify().broken == []


def test_a_run_that_cannot_even_be_read_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = runs()
    load = job.load

    def planted(held: Claimed) -> Job:
        if held.run == bad:
            raise KeyError("frames")
        return load(held)

    monkeypatch.setattr(driving, "load", planted)
    quarantined(bad, good, "KeyError")


def test_a_machine_that_lacks_something_is_not_a_bug_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, _ = runs()
    load, left = job.load, [OSError("too many open files")]

    def planted(held: Claimed) -> Job:
        if left:
            raise left.pop()
        return load(held)

    monkeypatch.setattr(driving, "load", planted)
    run = finished(bad)
    assert run.state == "succeeded"
    assert "too many open files" in str([step.attempts for step in run.steps])
