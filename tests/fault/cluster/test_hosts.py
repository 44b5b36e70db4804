"""More than one cluster: hosts that are lost, containers that look alike, code that differs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audit.verify import verify
from tests.fault.cluster.host import MODULES, kept
from tests.support.cluster import ROOT, children, cluster, until
from tests.support.engine import shown, start_action, state
from workflows.models import Attempt, Entry, Step, Worker

pytestmark = pytest.mark.usefixtures("empty")
LEASE_SECONDS = 6.0
BUSY_SECONDS = 12.0
UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=SIGTERM"]


def isolated() -> bool:
    """Tell whether we may make pid namespaces."""
    try:
        return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def test_work_of_a_lost_host_goes_on_elsewhere_after_the_lease_and_zombies_change_nothing(tmp_path: Path) -> None:
    environment = {"DOTDO_LEASE_SECONDS": f"{LEASE_SECONDS}", "DOTDO_ACTION_MODULES": MODULES}
    files = {"fault-works": tmp_path / "works", "fault-writes": tmp_path / "writes"}
    with kept(tmp_path / "lost", **environment) as lost:
        runs = {name: start_action(name, {"began": str(file), "seconds": 4.0}) for name, file in files.items()}
        until(lambda: all(file.exists() for file in files.values()))
        with cluster(tmp_path / "other", **environment):
            begun = time.monotonic()
            lost.signal(signal.SIGSTOP)
            try:
                until(lambda: state(runs["fault-works"]) == "succeeded", 30, "takeover after the lease")
                late = time.monotonic() - begun
            finally:
                lost.signal(signal.SIGCONT)
            until(lambda: all(state(run_id) == "succeeded" for run_id in runs.values()), 30)
        time.sleep(2)
    assert late <= LEASE_SECONDS + 2 + 3, "the lease, two sweeps, and some patience with this machine"
    attempts = Attempt.objects.filter(step__run=runs["fault-works"]).values_list("outcome", flat=True)
    assert list(attempts) == ["crashed"]
    assert Entry.objects.filter(key__startswith=str(files["fault-writes"])).count() == 1
    assert verify().broken == []


@pytest.mark.skipif(not isolated(), reason="needs the right to make pid namespaces, as root has")
def test_a_container_with_the_same_host_name_does_not_bury_the_workers_of_another(tmp_path: Path) -> None:
    file = tmp_path / "works"
    environment = {"DOTDO_LEASE_SECONDS": "30", "DOTDO_ACTION_MODULES": MODULES, "DOTDO_WORKERS": "1"}
    with cluster(tmp_path / "one", **environment):
        run_id = start_action("fault-works", {"began": str(file), "seconds": BUSY_SECONDS})
        until(file.exists)
        with (tmp_path / "two").open("wb") as out:
            command = [*UNSHARE, sys.executable, "manage.py", "cluster", "--skip-checks"]
            other = subprocess.Popen(command, env=os.environ | environment, cwd=ROOT, stdout=out, stderr=out)
        try:
            beside = start_action("test-echo", {"value": 1})
            until(
                lambda: state(beside) == "succeeded",
                30,
                "the other one works: the first has one worker, and it is busy",
            )
            assert Worker.objects.filter(stopped_at=None).values("place").distinct().count() == 2
            assert len(set(Worker.objects.filter(stopped_at=None).values_list("host", flat=True))) == 1
            until(lambda: state(run_id) == "succeeded", 30)
        finally:
            os.kill(children(other.pid)[0], signal.SIGTERM)  # unshare itself does not pass it on
            other.wait(40)
    step = Step.objects.get(run=run_id)
    assert (step.attempt, step.crashes) == (1, 0)


def test_a_run_whose_handler_is_not_deployed_is_blocked_until_a_worker_knows_it(tmp_path: Path) -> None:
    old = {"DOTDO_ACTION_MODULES": "tests.support.handlers"}
    with cluster(tmp_path / "old", **old):
        run_id = start_action("fault-works", {"began": str(tmp_path / "began"), "seconds": 0.0})
        until(lambda: shown(run_id).label == "blocked", 15)
        other = start_action("test-echo", {"value": 1})
        until(lambda: state(other) == "succeeded", 15, "others go on")
    with cluster(tmp_path / "new", DOTDO_ACTION_MODULES=MODULES):
        until(lambda: state(run_id) == "succeeded", 30, "it goes on by itself")
    step = Step.objects.get(run=run_id)
    assert (step.attempt, step.failures, step.crashes) == (1, 0, 0), "waiting for a handler is no failure"
