"""Workers that come too late, and whoever sweeps up behind them: only the newest claim may write."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import sql
from tests.support.engine import begin, shown, state, work_until_idle
from tests.support.interleaving import Doing, Turn, after_checkpoint, before_checkpoint
from tests.support.soundness import assert_sound
from workflows import claim, driving, execution
from workflows.identity import Identity
from workflows.job import Job
from workflows.models import Attempt, Entry, Step

pytestmark = pytest.mark.usefixtures("handlers")

LEDGER = "do: [{one: {call: test-ledger, with: {name: one}, output: {as: .name}}}]"
OUTSIDE = "do: [{one: {call: test-outside, with: {file: '%s'}, output: {as: .attempt}}}]"


def before_fence(name: str, monkeypatch: pytest.MonkeyPatch) -> Turn:
    """Stop a transactional step when it is claimed, and its row not yet locked."""
    turn, lock = Turn(name), execution.lock

    def wrapped(job: Job) -> None:
        turn.wait(job.held)
        lock(job)

    monkeypatch.setattr(execution, "lock", wrapped)
    return turn


def claimed(run_id: Any, lease: float = 30.0) -> Doing:
    """Let a worker of its own claim the step of a run, whatever it has been through, and execute it."""
    sql("UPDATE step SET due_at = now() WHERE run_id = %s AND state = 'ready'", run_id)
    me = Identity()
    held = claim.take("default", 2, me.id, lease)
    assert held is not None
    return Doing(lambda: driving.drive(held, me, time.monotonic() + 20))


def lease_ends(run_id: Any) -> None:
    sql("UPDATE step SET lease_expires_at = now() - interval '1 s' WHERE run_id = %s AND state = 'running'", run_id)
    claim.reap()


def row(run_id: Any) -> tuple[str, int]:
    step = Step.objects.get(run=run_id)
    return step.state, step.claim


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[], list[str]]:
    file = tmp_path / "lines"
    return lambda: [str(file)] if not file.exists() else file.read_text().splitlines()


def zombies(run_id: Any, place: Callable[[str, pytest.MonkeyPatch], Turn], patch: pytest.MonkeyPatch) -> None:
    """Let two workers freeze at a place, one after the other; the first wakes while the second one has the step, the
    second when a third has finished it.
    """
    sleeps = [place("one", patch), place("one", patch)]  # the second one made is reached first
    first = claimed(run_id)
    sleeps[1].reached()
    lease_ends(run_id)
    second = claimed(run_id)
    sleeps[0].reached()
    sleeps[1].go()
    first.done()
    assert row(run_id) == ("running", 2), "a late worker finished what another one holds"
    lease_ends(run_id)
    claimed(run_id).done()
    assert state(run_id) == "succeeded"
    sleeps[0].go()
    second.done()
    assert row(run_id) == ("succeeded", 3)
    assert Attempt.objects.filter(step__run=run_id, outcome="crashed").count() == 2
    assert_sound(run_id)


def test_of_two_zombies_of_an_outside_call_none_writes_and_all_send_one_key(
    monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    run_id = begin(OUTSIDE % lines()[0])
    zombies(run_id, before_checkpoint, monkeypatch)
    sent = [line.split() for line in lines()]
    assert {key for key, _, _ in sent} == {sent[0][0]}
    fences = [int(fence) for _, _, fence in sent]
    assert fences == sorted(set(fences)), "the receiver can tell who is late"
    assert shown(run_id).output == 3


def test_of_two_zombies_of_a_transactional_step_none_has_an_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(LEDGER)
    zombies(run_id, before_fence, monkeypatch)
    assert Entry.objects.filter(namespace="ledger").count() == 1


def test_the_sweeper_leaves_a_step_alone_whose_effect_is_about_to_be_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begin(LEDGER)
    turn = after_checkpoint("one", monkeypatch)
    one = claimed(run_id, 0.1)
    turn.reached()
    time.sleep(0.2)  # its lease is over, its lock is not
    assert claim.reap() == []
    turn.go()
    one.done()
    assert (state(run_id), Entry.objects.count()) == ("succeeded", 1)
    assert not Attempt.objects.filter(step__run=run_id).exists()
    assert_sound(run_id)


def test_what_the_sweeper_has_freed_is_not_recorded_by_the_one_who_had_it(
    monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    run_id = begin(OUTSIDE % lines()[0])
    turn = before_checkpoint("one", monkeypatch)
    one = claimed(run_id)
    turn.reached()
    lease_ends(run_id)
    turn.go()
    one.done()
    assert row(run_id) == ("ready", 1)
    work_until_idle()
    assert (row(run_id), shown(run_id).output) == (("succeeded", 2), 2)
    assert_sound(run_id)
