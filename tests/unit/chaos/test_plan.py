"""A seed names one sequence of faults and of work."""

from itertools import islice

from tests.chaos import mix, plan


def test_the_same_seed_plans_the_same_faults_and_another_seed_others() -> None:
    assert plan.schedule(7, 60) == plan.schedule(7, 60)
    assert plan.schedule(7, 60) != plan.schedule(8, 60)


def test_every_kind_of_fault_is_planned_within_the_round_of_a_build() -> None:
    for seed in range(20):
        assert {fault.kind for fault in plan.schedule(seed, 45)} == set(plan.WEIGHTS)


def test_the_same_seed_starts_the_same_runs_with_the_same_keys() -> None:
    one, two = (list(islice(mix.starts(7, 3, 5.0), 200)) for _ in range(2))
    assert one == two
    assert len({start.key for start in one}) == 200
    assert {start.copies for start in one} == {1, 3}


def test_every_construct_is_among_the_first_that_are_started() -> None:
    started = {start.construct for client in range(mix.CLIENTS) for start in islice(mix.starts(1, client, 5.0), 2)}
    assert started == set(mix.CONSTRUCTS)
