"""SIGTERM: what is under way ends or is handed back within 30 s, and nothing is found by the end of a lease."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from audit.verify import verify
from dotdo_site.lib import process_state
from tests.fault.cluster.host import MODULES
from tests.support.cluster import children, cluster, until
from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, state
from workflows import operations
from workflows.models import Attempt, Entry, Run, Step, Worker
from workflows.watch import ENDED

pytestmark = pytest.mark.usefixtures("empty")
SECONDS = 30.0
QUICK_SECONDS = 10.0
LEASE = {"DOTDO_LEASE_SECONDS": "300", "DOTDO_ACTION_MODULES": MODULES}  # whatever a lease would free comes too late


def drained(process: "subprocess.Popen[bytes]", times: int = 1) -> float:
    """Send SIGTERM so many times and return how long it took to end by itself."""
    begun = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert process.wait(SECONDS + 5) == 0
    return time.monotonic() - begun


def test_a_drain_under_full_load_loses_nothing_and_leaves_nothing_leased(tmp_path: Path) -> None:
    name = publish("loaded", """
do:
  - one: {call: test-ledger, with: {name: "${ $workflow.id }"}}
  - two: {call: test-echo, with: {value: 1}}
  - three: {call: test-ledger, with: {name: "${ $workflow.id }"}}
""")  # fmt: skip
    runs = [start_workflow(name, {}) for _ in range(150)]
    with cluster(tmp_path / "log", **LEASE) as process:
        until(lambda: Run.objects.filter(name=name, state="succeeded").count() > 10)
        assert drained(process, times=3) < SECONDS, "more of the same signal changes nothing"
    assert Run.objects.filter(name=name).exclude(state="succeeded").exists(), "it was stopped in the middle"
    assert not Step.objects.filter(state="running").exists()
    assert not Attempt.objects.filter(step__run__in=runs, outcome="crashed").exists()
    assert not Worker.objects.filter(stopped_at=None).exists()
    with cluster(tmp_path / "log", **LEASE):
        until(lambda: not Run.objects.filter(name=name).exclude(state="succeeded").exists(), 60)
    effects = [Entry.objects.filter(key__startswith=f"{run_id}-").count() for run_id in runs]
    assert set(effects) == {2}, "each effect once"
    assert verify().broken == []


def test_a_drain_lets_handlers_end_and_does_not_wait_for_a_frozen_worker(tmp_path: Path) -> None:
    names = {"fault-works": tmp_path / "works", "fault-writes": tmp_path / "writes"}
    runs = {action: start_action(action, {"began": str(file), "seconds": 3.0}) for action, file in names.items()}
    with cluster(tmp_path / "log", DOTDO_WORKERS="3", **LEASE) as process:
        until(lambda: all(file.exists() for file in names.values()))
        busy = set(Worker.objects.filter(id__in=Step.objects.filter(state="running").values("leased_by"))
                   .values_list("pid", flat=True))  # fmt: skip
        idle = set(Worker.objects.filter(stopped_at=None).values_list("pid", flat=True)) - busy
        tree = [process.pid, *children(process.pid)]
        for pid in idle:
            os.kill(pid, signal.SIGSTOP)
        assert drained(process) < SECONDS
    assert [state(run_id) for run_id in runs.values()] == ["succeeded", "succeeded"]
    assert not Attempt.objects.filter(step__run__in=runs.values()).exists(), "neither was cut off"
    assert not [pid for pid in tree if process_state.alive(pid)]


def test_a_drain_of_a_cluster_whose_sentinel_is_frozen_or_dead_ends(tmp_path: Path) -> None:
    for number in (signal.SIGSTOP, signal.SIGKILL):
        with cluster(tmp_path / "log", **LEASE) as process:
            until(lambda: len(children(process.pid)) >= 6)
            tree = [process.pid, *children(process.pid)]
            os.kill(next(pid for pid in tree if _is_sentinel(pid)), number)
            assert drained(process) < SECONDS
        assert not [pid for pid in tree if process_state.alive(pid)]


def test_a_deploy_after_all_workers_were_drained_is_quick_while_work_is_due(tmp_path: Path) -> None:
    with cluster(tmp_path / "log", **LEASE) as process:
        known = until(lambda: found if len(found := list(Worker.objects.filter(stopped_at=None))) == 2 else [])
        for worker in known:
            operations.drain_worker(worker.pk, actor="user:olga", reason="a deploy")
        time.sleep(1.5)
        waits = start_action("test-echo", {"value": 1})
        time.sleep(1.5)
        assert drained(process) < QUICK_SECONDS, "whoever hands out hints does not wait for those who take none"
    assert state(waits) == "pending"
    assert "not drained within" not in (tmp_path / "log").read_text()


def test_what_does_not_end_in_time_is_handed_back_at_once(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("fault-works", "fault-writes", "fault-works-once")}
    runs = {name: start_action(name, {"began": str(file), "seconds": 29.0}) for name, file in files.items()}
    with cluster(tmp_path / "log", DOTDO_WORKERS="3", **LEASE) as process:
        until(lambda: all(file.exists() for file in files.values()))
        assert drained(process) < SECONDS
    steps = {name: Step.objects.get(run=run_id) for name, run_id in runs.items()}
    assert {step.state for step in steps.values()} == {"ready"}, "no lease has to run out"
    crashes = {name: step.crashes for name, step in steps.items()}
    assert crashes == {"fault-works": 0, "fault-writes": 0, "fault-works-once": 1}, "a deploy is no crash"
    assert {ENDED in str(step.attempts.get().error) for step in steps.values()} == {True}


def _is_sentinel(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text().strip() == "dotdo:sentinel"
