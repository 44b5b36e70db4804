"""Kill or freeze any one process of a cluster, idle or busy: due work is late by 15 s at most, nothing is left over.

One cluster, kept as `make up` keeps it, goes through all of it. `RECOVERY_ROUNDS=20` measures for the documentation;
the table is printed (`-s`) and kept in `recovery.md`.
"""

import itertools
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.verify import verify
from tests.conftest import VAR
from tests.fault.cluster.host import Host, kept
from tests.fault.cluster.times import Times
from tests.support.cluster import until
from tests.support.engine import start_action, state
from workflows.models import Entry, Step, Worker

LATE_SECONDS = 15.0
LONG_SECONDS = 25.0
ROUNDS = int(os.environ.get("RECOVERY_ROUNDS", "1"))
BLOWS = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP}
VICTIMS = ("main", "sentinel", "housekeep", "pusher", "monitor", "worker")
numbers = itertools.count()


@pytest.fixture(scope="session")
def times() -> Iterator[Times]:
    """Collect the recovery times of the session."""
    collected = Times()
    yield collected
    (VAR / "recovery.md").write_text(collected.table())
    print(f"\n{collected.table()}")


@pytest.fixture(scope="module")
def host(empty: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Run the one cluster."""
    with kept(tmp_path_factory.mktemp("cluster") / "log") as running:
        yield running


@pytest.fixture(autouse=True)
def whole(host: Host) -> None:
    """Begin with a cluster that has all its processes and works."""
    until(host.whole, 30, "a whole cluster")
    run_id = start_action("test-echo", {"value": 0})
    until(lambda: state(run_id) == "succeeded", 30, "a working cluster")


@pytest.mark.parametrize("blow", BLOWS)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("victim", VICTIMS)
def test_due_work_is_late_by_15_s_at_most_and_nothing_is_left_over(
    host: Host, times: Times, tmp_path: Path, victim: str, busy: bool, blow: str
) -> None:
    for _ in range(ROUNDS):
        until(host.whole, 30, "a whole cluster")
        under_way = _busy_run("fault-works", tmp_path, 2.0) if busy else None
        pid = _holder(under_way) if under_way and victim == "worker" else host.pids_of(victim)[0]
        before = host.pids()
        struck = _strike(pid, blow)
        due = [start_action("test-echo", {"value": number}) for number in range(5)]
        due += [under_way] if under_way else []
        _recovered(due, struck, times, f"{'busy' if busy else 'idle'} {victim} {blow}")
        _nothing_left_over(host, before)


@pytest.mark.parametrize("blow", BLOWS)
def test_a_worker_that_holds_row_locks_lets_go_of_them_and_its_effect_exists_once(
    host: Host, times: Times, tmp_path: Path, blow: str
) -> None:
    for _ in range(ROUNDS):
        until(host.whole, 30, "a whole cluster")
        under_way = _busy_run("fault-writes", tmp_path, LONG_SECONDS)
        struck = _strike(_holder(under_way), blow)
        _recovered([under_way], struck, times, f"worker in a transaction {blow}")
        assert Entry.objects.filter(namespace="ledger", key__startswith=_began(under_way)).count() == 1
        step = Step.objects.get(run=under_way)
        assert (step.crashes, step.attempt) == (1, 2)
        assert ("frozen" if blow == "frozen" else "killed") in str(step.attempts.get().error)


def test_a_worker_that_dies_while_the_watchdog_is_frozen_is_found_all_the_same(
    host: Host, times: Times, tmp_path: Path
) -> None:
    under_way = _busy_run("fault-works", tmp_path, LONG_SECONDS)
    worker = _holder(under_way)
    os.kill(host.pids_of("main")[0], signal.SIGSTOP)
    _recovered([under_way], _strike(worker, "killed"), times, "main frozen, worker killed")
    assert verify().broken == []


def test_a_frozen_watchdog_and_a_dead_sentinel_end_in_a_new_cluster(host: Host, times: Times) -> None:
    before = host.pids()
    os.kill(host.pids_of("main")[0], signal.SIGSTOP)
    struck = _strike(host.pids_of("sentinel")[0], "killed")
    _recovered([start_action("test-echo", {"value": 1})], struck, times, "main frozen, sentinel killed")
    _nothing_left_over(host, before)


def _busy_run(action: str, folder: Path, seconds: float) -> uuid.UUID:
    """Start a run and wait until its handler has begun."""
    began = folder / f"began-{next(numbers)}"
    run_id = start_action(action, {"began": str(began), "seconds": seconds})
    until(began.exists, 20, "a busy worker")
    return run_id


def _began(run_id: uuid.UUID) -> str:
    given: dict[str, str] = Step.objects.get(run=run_id).input or {}
    return given["began"]


def _holder(run_id: uuid.UUID) -> int:
    step = Step.objects.get(run=run_id, state="running")
    return Worker.objects.get(id=step.leased_by or uuid.UUID(int=0)).pid


def _strike(pid: int, blow: str) -> float:
    os.kill(pid, BLOWS[blow])
    return time.monotonic()


def _recovered(due: list[uuid.UUID], struck: float, times: Times, what: str) -> None:
    until(lambda: all(state(run_id) == "succeeded" for run_id in due), 3 * LATE_SECONDS, what)
    seconds = time.monotonic() - struck
    times.note(what, seconds)
    assert seconds <= LATE_SECONDS, what


def _nothing_left_over(host: Host, before: list[int]) -> None:
    until(host.whole, 30, "a whole cluster")
    until(lambda: not _orphans(host, before), 5, "the end of every process that was replaced")


def _orphans(host: Host, before: list[int]) -> list[int]:
    return [pid for pid in before if pid not in host.pids() and Path(f"/proc/{pid}").exists()]
