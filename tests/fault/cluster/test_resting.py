"""Paused queues and drained workers in whole clusters: what was asked for holds within a second or so, everywhere."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from audit.models import AuditEvent
from tests.fault.cluster.host import MODULES
from tests.support.cluster import children, cluster, until
from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, state
from workflows import operations
from workflows.models import Run, Step, Worker

pytestmark = pytest.mark.usefixtures("empty")
SETTINGS = {"DOTDO_ACTION_MODULES": MODULES, "DOTDO_LEASE_SECONDS": "60"}
BY: dict[str, Any] = {"actor": "user:olga", "reason": "a test"}
DEAF_SECONDS = 8.0  # of the watchdog


def workers() -> list[Worker]:
    return list(Worker.objects.filter(stopped_at=None).order_by("id"))


def all_known(count: int) -> list[Worker]:
    """Wait until so many workers have said who they are."""
    return until(lambda: workers() if len(workers()) == count else [])


def test_workers_are_known_before_there_is_work_for_them(tmp_path: Path) -> None:
    with cluster(tmp_path / "log", DOTDO_WORKERS="2", **SETTINGS):
        assert len(all_known(2)) == 2


def test_two_hosts_stop_within_a_second_of_a_pause_under_load_and_lose_nothing(tmp_path: Path) -> None:
    name = publish("bank-load", "do: [{a: {call: test-echo}}, {b: {call: test-echo}}, {c: {call: test-echo}}]")
    runs = [start_workflow(name, {}) for _ in range(300)]
    with cluster(tmp_path / "one", **SETTINGS), cluster(tmp_path / "two", **SETTINGS):
        until(lambda: Run.objects.filter(name=name, state="succeeded").count() > 10)
        operations.pause_queue("default", **BY)
        time.sleep(1.5)
        begun = list(Step.objects.order_by("id").values_list("id", "claim", "state"))
        left = Run.objects.filter(name=name).exclude(state="succeeded").count()
        assert left, "it was paused in the middle"
        time.sleep(DEAF_SECONDS + 2)
        assert list(Step.objects.order_by("id").values_list("id", "claim", "state")) == begun
        assert not Step.objects.filter(state="running").exists()
        assert {"restarting"} & set((tmp_path / "one").read_text().split()) == set(), "it is not deaf"
        operations.resume_queue("default", **BY)
        resumed = time.monotonic()
        until(lambda: Run.objects.filter(name=name, state="succeeded").count() > len(runs) - left, 2.0)
        assert time.monotonic() - resumed < 2.0, "they are woken"
        until(lambda: Run.objects.filter(name=name, state="succeeded").count() == len(runs), 60)
    assert not Step.objects.filter(run__name=name, crashes__gt=0).exists()


def test_a_drained_worker_finishes_its_step_takes_no_other_and_leaves_hints_to_others(tmp_path: Path) -> None:
    with cluster(tmp_path / "log", DOTDO_WORKERS="2", **SETTINGS) as process:
        all_known(2)
        slow = start_action("fault-works", {"began": str(tmp_path / "began"), "seconds": 3.0})
        until((tmp_path / "began").exists)
        busy = Step.objects.get(run=slow).leased_by
        assert busy
        operations.drain_worker(busy, **BY)
        time.sleep(1.5)
        until(lambda: state(slow) == "succeeded")
        for number in range(10):
            assert _taken_within(start_action("test-echo", {"value": number}), 2.0) != busy
        idle = next(worker.pk for worker in workers() if worker.pk != busy)
        operations.drain_worker(idle, **BY)
        time.sleep(1.5)
        waits = start_action("test-echo", {"value": "later"})
        pids = children(process.pid)
        time.sleep(DEAF_SECONDS + 2)
        assert (state(waits), children(process.pid)) == ("pending", pids), "nobody is deaf, nobody is replaced"
        operations.undrain_worker(busy, **BY)
        assert _taken_within(waits, 3.0) == busy


def _taken_within(run_id: uuid.UUID, seconds: float) -> uuid.UUID | None:
    """Return who took the step of a run: the only worker that could have, by its row."""
    until(lambda: state(run_id) == "succeeded", seconds)
    return _last_taken(run_id)


def _last_taken(run_id: uuid.UUID) -> uuid.UUID | None:
    event = AuditEvent.objects.filter(run=run_id, actor__startswith="worker:").last()
    return uuid.UUID(event.actor.removeprefix("worker:")) if event else None
