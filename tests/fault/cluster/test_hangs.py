"""Handlers that cannot be stopped: their process really ends, and the attempt says what happened."""

import pytest

from dotdo_site.lib import process_state
from tests.fault.cluster.host import MODULES
from tests.support.cluster import cluster, until
from tests.support.engine import shown, start_action, state
from workflows.models import Entry
from workflows.queries import RunDetail

pytestmark = pytest.mark.usefixtures("empty")
OVER = "did not stop within 5 s after its time limit; its process was ended"


@pytest.fixture(scope="module")
def runs(empty: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunDetail]:
    """Let one cluster run all of them, side by side, and return what became of them."""
    folder = tmp_path_factory.mktemp("hangs")
    started = {
        "python": start_action("fault-hangs-in-python", {"pids": str(folder / "pids")}),
        "c": start_action("fault-hangs-in-c", {}),
        "transaction": start_action("fault-hangs-in-a-transaction", {"name": "hung"}),
        "frozen": start_action("fault-freezes", {"began": str(folder / "began")}),
    }
    with cluster(folder / "log", DOTDO_WORKERS="4", DOTDO_LEASE_SECONDS="30", DOTDO_ACTION_MODULES=MODULES):
        until(lambda: all(state(run) in ("failed", "succeeded") for run in started.values()), 60, "the end of all")
        bystander = start_action("test-echo", {"value": 1})
        until(lambda: state(bystander) == "succeeded", 15, "others go on")
        pids = [int(pid) for pid in (folder / "pids").read_text().split()]
        assert len(set(pids)) == 2, "each attempt had a process of its own"
        assert not any(map(process_state.alive, pids)), "and it is gone"
    return {name: shown(run) for name, run in started.items()}


def test_a_loop_that_catches_everything_times_out_as_its_policy_says(runs: dict[str, RunDetail]) -> None:
    run = runs["python"]
    assert run.label == "timed_out"
    assert [attempt.outcome for attempt in run.steps[0].attempts] == ["timed_out", "timed_out"]
    assert all(OVER in attempt.error["message"] for attempt in run.steps[0].attempts)
    assert run.steps[0].crashes == 0
    assert len({attempt.worker for attempt in run.steps[0].attempts}) == 2, "those that ran it"


def test_c_code_that_holds_the_interpreter_times_out(runs: dict[str, RunDetail]) -> None:
    assert runs["c"].label == "timed_out"
    assert OVER in runs["c"].now


def test_a_transaction_that_hangs_times_out_and_leaves_nothing(runs: dict[str, RunDetail]) -> None:
    assert runs["transaction"].label == "timed_out"
    assert not Entry.objects.filter(namespace="ledger", key="hung").exists()


def test_a_handler_that_is_frozen_beyond_its_time_is_ended_and_runs_again(runs: dict[str, RunDetail]) -> None:
    run = runs["frozen"]
    attempts = run.steps[0].attempts
    assert (run.state, run.output, run.steps[0].crashes) == ("succeeded", "went on", 1)
    assert attempts[0].outcome == "crashed"
    assert "frozen" in attempts[0].error["message"]
