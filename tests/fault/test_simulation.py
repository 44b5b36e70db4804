"""Ten thousand executions of small programs by workers that die, freeze, lose answers: each keeps all promises."""

from collections.abc import Callable, Iterator

import pytest

from tests.fault.simulation.__main__ import again
from tests.fault.simulation.bugs import BUGS
from tests.fault.simulation.cutting import LATE
from tests.fault.simulation.rows import UNDONE, Database, Run
from tests.fault.simulation.simulation import play, scenario_of

SEEDS = 10_000  # as many as it takes to find every planted bug
PARTS = 5
SEEN: dict[str, Callable[[Database], bool]] = {
    "the run was parked and retried": lambda db: "step.failed" in _kinds(db),
    "a result came too late": lambda db: "step.superseded" in _kinds(db),
    "the run was cancelled": lambda db: db.run.state == "cancelled",
    "a step was taken again": lambda db: any(step.claim > 1 for step in db.steps.values()),
    "something was sent twice": lambda db: any(count > 1 for count in db.sink.values()),
    "an undo failed for good": lambda db: any(
        kind == "step.failed" and db.steps[step].kind == "undo" for kind, step in _links(db)
    ),
    "an undo was cut off and taken up again": lambda db: any(key.endswith("#undo[1]") for _, key in db.by_key),
    "an effect that came too late was undone": lambda db: any(
        step.key.endswith(LATE) and step.state == "succeeded" for step in db.steps.values()
    ),
    "a person had a run undone": lambda db: (db.run.state, db.run.reason) == ("cancelled", UNDONE),
    "a document had a run undone": lambda db: (db.run.state, db.run.reason) == ("failed", UNDONE),
    "a run was cancelled with its child": lambda db: any(run.state == "cancelled" for run in _children(db)),
    "a child was parked": lambda db: any(run.error for run in _children(db)),
}


@pytest.mark.parametrize("part", range(PARTS))
def test_no_execution_breaks_a_promise(part: int) -> None:
    size = SEEDS // PARTS
    for seed in range(part * size, (part + 1) * size):
        broken = play(seed).broken
        assert not broken, f"seed {seed} ({scenario_of(seed).name}): {broken}\nagain: {again(seed)}"


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    assert any(play(seed, frozenset([bug])).broken for seed in range(SEEDS)), f"{bug} was not seen"


def test_every_kind_of_trouble_happens() -> None:
    missing = set(SEEN)
    for seed in range(2_000):
        db = play(seed).db
        missing -= {name for name in missing if SEEN[name](db)}
    assert not missing


def test_a_seed_is_one_execution() -> None:
    for seed in range(20):
        assert play(seed).db.steps == play(seed).db.steps


def _kinds(db: Database) -> set[str]:
    return {kind for kind, _ in _links(db)}


def _links(db: Database) -> Iterator[tuple[str, int]]:
    return ((kind, step) for branch in db.branches.values() for _, kind, step, _ in branch.links)


def _children(db: Database) -> Iterator[Run]:
    return (run for run in db.runs.values() if run.parent_step is not None)
