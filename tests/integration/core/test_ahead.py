"""The checkpoint behind which a worker has nothing to go on with claims its next step: one commit instead of two."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, state, work_until_idle
from workflows import claim, driving, identity, outage, recording, scheduling, worker
from workflows.checkpoint import Progress, StepWrite, Taking, write
from workflows.identity import Identity
from workflows.models import Step

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.fixture
def me() -> Iterator[Identity]:
    """Give a worker that knows of nothing."""
    found = identity.identity()
    found._found_at, found._ahead = identity.NEVER, None
    yield found
    found._ahead = None


def drive(me: Identity) -> None:
    held = me.take()
    assert held is not None
    driving.drive(held, me, time.monotonic() + 10)


def outside(count: int) -> list[uuid.UUID]:
    """Start runs whose steps commit by themselves."""
    name = publish("outside", "do: [{a: {call: test-outside, with: {file: /dev/null}}}]")
    return [start_workflow(name, {}) for _ in range(count)]


def test_the_end_of_a_run_claims_the_next_one(me: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    made = outside(3)
    drive(me)
    monkeypatch.delattr(claim, "take")
    monkeypatch.delattr(claim, "take_first")
    drive(me)
    drive(me)
    assert [state(run) for run in made] == ["succeeded"] * 3
    assert me._ahead is None


def test_runs_that_are_claimed_ahead_end_like_others(me: Identity) -> None:
    made = outside(5) + [start_action("test-echo", {"value": number}) for number in range(5)]
    work_until_idle()
    assert {state(run) for run in made} == {"succeeded"}
    assert set(Step.objects.values_list("crashes", "claim")) == {(0, 1)}


def test_what_was_claimed_ahead_and_is_not_taken_goes_back_untouched(
    me: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside(2)
    taken = me.take

    def once() -> Any:
        monkeypatch.setattr(worker, "drains", lambda: True)
        return taken()

    monkeypatch.setattr(me, "take", once)
    monkeypatch.setattr(driving, "drains", lambda: False)
    worker.work()
    left = Step.objects.get(state="ready")
    assert (left.crashes, left.attempt, left.leased_by) == (0, 0, None)
    assert not Step.objects.filter(state="running").exists()


def test_a_checkpoint_that_writes_nothing_claims_nothing(me: Identity) -> None:
    outside(2)
    held = claim.take("default", 2, me.id, 30.0)
    assert held is not None
    Step.objects.filter(pk=held.step).update(claim=held.claim + 1)
    step = StepWrite(state="succeeded", key="k", ref="", name="n", kind="call", function="", action_version=None)
    assert write(held, Progress(step=step, cursor={}, links=[]), 30.0, Taking("default", 2, me.id)) is None
    assert list(Step.objects.exclude(pk=held.step).values_list("state", flat=True)) == ["ready"]


def test_nothing_is_claimed_in_a_transaction_that_may_be_undone(me: Identity) -> None:
    outside(2)
    me._found, me._found_at = ("default", 2), time.monotonic()
    lessee = me.lessee()
    wanted = Progress(
        step=StepWrite(state="succeeded", key="", ref="", name="", kind="call", function="", action_version=None),
        cursor={}, links=[],
    )  # fmt: skip
    assert recording._taking(wanted, lessee) == Taking("default", 2, me.id)
    with transaction.atomic():
        assert recording._taking(wanted, lessee) is None
    assert not connection.in_atomic_block
    assert recording._taking(wanted, me.lessee(keep=lambda: False)) is None


def test_a_step_that_is_claimed_ahead_goes_back_when_the_worker_stumbles(
    me: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside(2)

    def stumble() -> int:
        raise ValueError("a schedule that cannot be read")

    monkeypatch.setattr(scheduling, "fire_due", stumble)
    with pytest.raises(ValueError, match="cannot be read"):
        worker.work()
    assert me._ahead is None
    assert Step.objects.filter(state="ready", crashes=0).count() == 1


def test_a_step_that_was_claimed_ahead_too_long_ago_is_claimed_again(me: Identity) -> None:
    outside(2)
    drive(me)
    assert me._ahead is not None
    stale = me._ahead
    me._ahead_at = identity.NEVER
    held = me.take()
    assert held is not None
    assert (held.step, held.claim) == (stale.step, stale.claim + 1)


@pytest.mark.parametrize("beside", [{"over": ["/do/0/a#timeout"]}, {"woken": "/do/1/b"}])
def test_a_checkpoint_that_writes_other_steps_claims_none(me: Identity, beside: dict[str, Any]) -> None:
    me._found, me._found_at = ("default", 2), time.monotonic()
    step = StepWrite(state="succeeded", key="", ref="", name="", kind="call", function="", action_version=None)
    assert recording._taking(Progress(step=step, cursor={}, links=[]), me.lessee()) is not None
    assert recording._taking(Progress(step=step, cursor={}, links=[], **beside), me.lessee()) is None


def test_a_worker_that_hands_everything_back_forgets_what_it_claimed_ahead(me: Identity) -> None:
    outside(2)
    drive(me)
    assert me._ahead is not None
    outage.troubles.unsure = True
    worker._recover(me)
    assert me._ahead is None
    assert Step.objects.filter(state="ready").count() == 1
