"""Every named place of a run's way, and a process that dies, freezes, loses its connection, or raises there.

All runs of a test share the processes: each arms its own place by its input, so some hundred cases take a minute.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fault.failpoints.cases import FROZEN, KILLED
from tests.fault.failpoints.matrix import Matrix, doubled
from tests.support.cluster import ROOT, cluster


@pytest.mark.timeout(300)
def test_wherever_a_process_dies_loses_its_connection_or_raises_each_run_keeps_its_promises(
    matrix: Matrix, tmp_path: Path
) -> None:
    with cluster(tmp_path / "cluster.log", **matrix.environment(DOTDO_WORKERS="6")):
        wrong = matrix.play(KILLED)
    assert not wrong, "\n".join(wrong)
    assert not doubled()


@pytest.mark.timeout(300)
def test_wherever_a_worker_freezes_until_another_one_has_taken_over_each_run_keeps_its_promises(
    matrix: Matrix, tmp_path: Path
) -> None:
    settings = matrix.environment(DOTDO_LEASE_SECONDS="4")
    with (tmp_path / "host.log").open("wb") as log:
        host = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.failpoints.host"],
            env=os.environ | settings, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            wrong = matrix.play(FROZEN)
        finally:
            host.kill()
            host.wait()
    assert not wrong, "\n".join(wrong)
    assert not doubled()
