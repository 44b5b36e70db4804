"""A lock that somebody holds for longer than the limit of our role: nobody died, nothing is lost, it is tried again."""

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from pytest_django import Settings

from tests.support.engine import begin, state
from tests.support.interleaving import Doing, work_on
from tests.support.soundness import assert_sound
from workflows import worker
from workflows.models import Attempt, Entry

pytestmark = pytest.mark.usefixtures("handlers")
Superuser = psycopg.Connection[tuple[Any, ...]]
LIMIT = "ALTER ROLE dotdo IN DATABASE dotdo {} lock_timeout"


@pytest.fixture
def short_limit(superuser: Superuser) -> Iterator[None]:
    """Let new sessions of the application wait 200 ms for a lock."""
    superuser.execute(LIMIT.format("SET") + " = '200ms'")
    yield
    superuser.execute(LIMIT.format("RESET"))


def test_a_transactional_step_that_meets_a_lock_again_and_again_counts_no_crash_and_has_one_effect(
    superuser: Superuser, short_limit: None, settings: Settings
) -> None:
    settings.TIME_SLICE_SECONDS = 6.0
    run_id = begin("""
do:
  - both:
      fork:
        branches:
          - left: {call: test-ledger, with: {name: left}}
          - right: {call: test-ledger, with: {name: right}}
""")
    work_on("both", on=False).done()
    with superuser.transaction():
        superuser.execute("SELECT FROM run WHERE id = %s FOR NO KEY UPDATE", [run_id])
        working = Doing(worker.work)
        time.sleep(2.0)  # each meets the limit several times
    working.done()
    Doing(worker.work).done()
    assert Attempt.objects.filter(step__run=run_id, outcome="crashed").count() == 0
    assert state(run_id) == "succeeded"
    assert Entry.objects.filter(namespace="ledger").count() == 2
    assert_sound(run_id)
