"""Each layer that is cheap finds the bugs planted for it: what cannot fail proves nothing. See `make chaos-mutants`."""

import subprocess
import sys

import psycopg
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chaos.mutants.bugs import BUGS, planted
from tests.fault import test_interleavings, test_late_workers
from tests.fault.stateful.machine import Runs
from tests.fault.stateful.ready import prepare
from tests.fault.stateful.test_stateful import PROFILE
from tests.support.cluster import ROOT
from tests.support.interleaving import let_all_go


@pytest.mark.parametrize("bug", ["id-only", "no-key", "lost-event"])
def test_any_order_of_events_finds(
    bug: str, handlers: None, superuser: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    quick = settings(PROFILE, phases=[Phase.generate], print_blob=False, max_examples=40)
    with prepare(superuser), planted(bug), pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(Runs, settings=quick)


def test_two_zombies_find_the_fence_gone(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with planted("no-fence"), pytest.raises(AssertionError, match="late worker"):
        test_late_workers.test_of_two_zombies_of_a_transactional_step_none_has_an_effect(monkeypatch)
    let_all_go()


def test_an_event_at_the_wrong_moment_finds_the_park_racy(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = test_interleavings.test_an_event_that_comes_when_its_listen_has_looked_and_not_yet_parked
    with planted("racy-park"), pytest.raises(AssertionError):
        looked(monkeypatch, to_all=True)


def test_every_bug_still_has_the_code_that_it_leaves_out(handlers: None) -> None:
    for bug in BUGS:
        with planted(bug):
            pass


@pytest.mark.parametrize("bug", ["no-fence", "id-only", "effect-outside", "lost-event"])
def test_the_simulation_finds(bug: str) -> None:
    argv = [sys.executable, "-m", "tests.fault.simulation", "--seeds", "1000", "--bug", bug]
    assert subprocess.run(argv, cwd=ROOT, capture_output=True, check=False).returncode == 1
