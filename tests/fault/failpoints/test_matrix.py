"""Every named place of a run's way × a process that dies, freezes, loses its connection, or raises there.

All runs of a test share the processes: each arms its own place by its input, so some hundred cases take a minute.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actions import registry, sync
from tests.fault.failpoints import actions
from tests.fault.failpoints.apps import FOLDER
from tests.fault.failpoints.cases import DOCUMENT, FROZEN, INNER, KILLED, SLOW
from tests.fault.failpoints.matrix import Matrix, doubled
from tests.fault.failpoints.sink import Sink, sink
from tests.support.cluster import ROOT, cluster
from tests.support.documents import publish


@pytest.fixture
def counting() -> Iterator[Sink]:
    with sink() as server:
        yield server


@pytest.fixture
def matrix(handlers: None, counting: Sink, tmp_path: Path) -> Matrix:
    sync.sync([spec for spec in registry.specs() if spec.name.startswith("failpoint-")], actor="system")
    publish("inner", INNER)
    publish("matrix", DOCUMENT)
    publish("slow", SLOW)
    folder = tmp_path / "points"
    folder.mkdir()
    return Matrix(folder, counting)


def environment(matrix: Matrix, **more: str) -> dict[str, str]:
    return {
        "DOTDO_APPS": "tests.fault.failpoints",
        "DOTDO_ACTION_MODULES": actions.__name__,
        FOLDER: str(matrix.folder),
        actions.SINK: str(matrix.sink.server_address[1]),
        **more,
    }


@pytest.mark.timeout(300)
def test_wherever_a_process_dies_loses_its_connection_or_raises_each_run_keeps_its_promises(
    matrix: Matrix, tmp_path: Path
) -> None:
    with cluster(tmp_path / "cluster.log", **environment(matrix, DOTDO_WORKERS="6")):
        wrong = matrix.play(KILLED)
    assert not wrong, "\n".join(wrong)
    assert not doubled()


@pytest.mark.timeout(300)
def test_wherever_a_worker_freezes_until_another_one_has_taken_over_each_run_keeps_its_promises(
    matrix: Matrix, tmp_path: Path
) -> None:
    settings: dict[str, Any] = environment(matrix, DOTDO_LEASE_SECONDS="2", DOTDO_DEVELOPMENT="0")
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
