"""Runs under any order of claims, crashes, late workers, events, operators and schedulers, through the real SQL.

`DOTDO_STATEFUL_EXAMPLES=5000` plays that many orders of chance, each of them longer; in CI they are always the same.
"""

import os

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fault.stateful.machine import Runs
from tests.fault.stateful.ready import prepare

EXAMPLES = int(os.environ.get("DOTDO_STATEFUL_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 60,  # half as many again as the planted bugs need
    stateful_step_count=60 if EXAMPLES else 25,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.generate] if os.environ.get("CHAOS_MUTANT") else [Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(600 + EXAMPLES)
def test_no_order_of_events_breaks_a_promise(
    handlers: None, superuser: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    with prepare(superuser):
        run_state_machine_as_test(Runs, settings=PROFILE)
