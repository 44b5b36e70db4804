"""The watchdog's looks, one by one: what it takes for frozen, hanging, dead or deaf, and what it leaves alone."""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from dotdo_site.lib import process_state
from tests.support.engine import shown, start_action
from workflows import claim, pulse, supervision, watch
from workflows.models import Step, Worker
from workflows.processes import Process
from workflows.pulse import Sign
from workflows.supervision import Supervisor
from workflows.watch import Watch

pytestmark = pytest.mark.usefixtures("handlers")
LONG_AGO = "2020-01-01T00:00:00Z"
_begun: list[Process] = []


@pytest.fixture(autouse=True)
def _end_all() -> Iterator[None]:
    yield
    for process in _begun:
        process.kill()
        process.join()
    _begun.clear()


def begin(target: Callable[[], object], slot: int | None = None) -> int:
    connections.close_all()
    process = Process(target=target, slot=slot)
    process.start()
    _begun.append(process)
    assert process.pid
    return process.pid


def sleeps() -> None:
    time.sleep(60)


def gives_signs() -> None:
    while True:
        pulse.sign()
        time.sleep(0.05)


def overruns() -> None:
    with pulse.handling(0.2):
        time.sleep(60)


def looks(watching: Watch, seconds: float) -> None:
    """Look as the supervising process does, for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        watching.end_the_stuck()
        watching.rested()
        time.sleep(0.1)


def ended(pid: int) -> bool:
    return not process_state.alive(pid)


def worker_row(pid: int, born: int, place: str = "") -> uuid.UUID:
    """Write the row of a worker that holds the one step."""
    row = Worker.objects.create(host="here", pid=pid, born=born, place=place or process_state.place(),
                                code_version="x", started_at=LONG_AGO, heartbeat_at="2999-01-01T00:00:00Z")  # fmt: skip
    assert claim.take("default", 2, row.id, 300.0)
    return row.id


def test_a_frozen_process_is_ended_and_one_that_was_stopped_for_a_moment_is_not() -> None:
    frozen, touched = begin(sleeps), begin(sleeps)
    os.kill(frozen, signal.SIGSTOP)
    os.kill(touched, signal.SIGSTOP)
    watching = Watch()
    looks(watching, 1.0)
    os.kill(touched, signal.SIGCONT)
    looks(watching, 2.0)
    assert (ended(frozen), ended(touched)) == (True, False)


def test_a_silent_pusher_is_ended_and_one_that_gives_signs_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SILENT_SECONDS", {Sign.PUSHER: 1.0, Sign.MONITOR: 1.0})
    silent, lively = begin(sleeps, Sign.PUSHER), begin(gives_signs, Sign.MONITOR)
    looks(Watch(), 2.0)
    assert (ended(silent), ended(lively)) == (True, False)


def test_silence_while_the_database_was_away_is_excused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SILENT_SECONDS", {Sign.PUSHER: 1.0})
    silent, watching = begin(sleeps, Sign.PUSHER), Watch()
    for _ in range(4):
        looks(watching, 0.5)
        watching.excuse()
    assert not ended(silent)


def test_a_worker_whose_handler_overran_its_time_and_its_grace_is_ended() -> None:
    late, idle = begin(overruns), begin(sleeps)
    looks(Watch(), 3.0)
    assert (ended(late), ended(idle)) == (True, False)


def test_a_watch_that_was_frozen_itself_begins_anew_to_look() -> None:
    frozen, watching = begin(sleeps), Watch()
    os.kill(frozen, signal.SIGSTOP)
    looks(watching, 0.5)
    time.sleep(2.5)
    watching.end_the_stuck()
    assert not ended(frozen), "they may have been frozen together and go on together"
    watching.rested()
    looks(watching, 2.5)
    assert ended(frozen)


def test_the_step_of_a_dead_worker_is_free_at_once_with_a_reason() -> None:
    run_id = start_action("test-echo", {"value": 1})
    pid = begin(sleeps)
    worker_row(pid, process_state.born(pid))
    os.kill(pid, signal.SIGKILL)
    until_ended(pid)
    assert Watch().bury() == []
    step = shown(run_id).steps[0]
    assert (step.state, step.crashes, step.attempts[0].outcome) == ("ready", 1, "crashed")
    assert "killed" in step.attempts[0].error["message"]


def test_a_reused_pid_is_not_taken_for_the_worker_that_had_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "STRANGER_SECONDS", -1.0)
    start_action("test-echo", {"value": 1})
    worker_row(os.getpid(), process_state.born(os.getpid()) - 1)
    assert Watch().bury() == []
    assert Step.objects.get().state == "ready"


def test_workers_of_another_place_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "STRANGER_SECONDS", -1.0)
    start_action("test-echo", {"value": 1})
    worker_row(2**22 - 1, 1, place="another boot/pid:[1]")
    Watch().bury()
    assert Step.objects.get().state == "running"


def test_a_worker_of_a_host_that_was_lost_is_signed_off_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "RENEWED_SECONDS", -1.0)
    row = Worker.objects.create(host="gone", pid=1, place="gone", code_version="x",
                                started_at=LONG_AGO, heartbeat_at=LONG_AGO)  # fmt: skip
    Watch().bury()
    assert Worker.objects.get(id=row.id).stopped_at is not None


def test_a_living_worker_that_another_host_took_for_lost_counts_as_living_again() -> None:
    start_action("test-echo", {"value": 1})
    pid = begin(sleeps)
    row = worker_row(pid, process_state.born(pid))
    Worker.objects.update(stopped_at=LONG_AGO, heartbeat_at=LONG_AGO)
    assert Watch().bury() == [row]
    assert Worker.objects.get().stopped_at is None


def test_an_earlier_worker_with_the_pid_of_a_living_process_stays_signed_off() -> None:
    start_action("test-echo", {"value": 1})
    pid = begin(sleeps)
    worker_row(pid, process_state.born(pid) - 1)
    Worker.objects.update(stopped_at=LONG_AGO)
    assert Watch().bury() == []
    assert Worker.objects.get().stopped_at is not None
    assert Step.objects.get().state == "running"


def test_work_that_came_due_while_we_slept_does_not_make_the_cluster_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "DEAF_SECONDS", 1.0)
    supervisor = _supervisor()
    time.sleep(1.2)
    assert supervisor._look() == "", "nothing is due"
    start_action("test-echo", {"value": 1})
    Step.objects.update(due_at=LONG_AGO)  # the database's clock went on
    assert supervisor._look() == ""
    monkeypatch.setattr(watch, "ASLEEP_SECONDS", 0.5)
    supervisor.watch.rested()
    time.sleep(1.2)
    assert supervisor._look() == "", "a gap between two looks is sleep of our own"


def test_a_housekeeper_that_was_killed_and_does_not_go_gets_one_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LINGERING_SECONDS", 2.0)
    monkeypatch.setattr(watch, "SILENT_SECONDS", {Sign.HOUSEKEEPER: 0.5})
    monkeypatch.setattr(supervision, "_house", sleeps)
    supervisor: Any = Supervisor()
    held: Any = Held(begin(sleeps, Sign.HOUSEKEEPER))
    supervisor.housekeeper = held
    looks(supervisor.watch, 0.8)
    supervisor._keep_house()
    assert supervisor.housekeeper is held, "it has just been killed"
    time.sleep(2.0)
    supervisor._keep_house()
    successor = supervisor.housekeeper
    _begun.append(successor)
    assert successor is not held
    supervisor._keep_house()
    looks(supervisor.watch, 0.8)
    assert not ended(successor.pid), "it may hang at the same place"
    held.gone = True
    supervisor._keep_house()
    looks(supervisor.watch, 0.8)
    assert ended(successor.pid), "from now on it is judged like any other"


class Held:
    """A process that its parent cannot reap: after SIGKILL one of its threads still waits in the kernel."""

    def __init__(self, pid: int) -> None:
        self.pid, self.gone = pid, False

    def is_alive(self) -> bool:
        return not self.gone


def test_due_work_that_nobody_looks_at_means_that_the_cluster_is_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "DEAF_SECONDS", 0.2)
    start_action("test-echo", {"value": 1})
    Step.objects.update(due_at=LONG_AGO)
    supervisor = _supervisor()
    time.sleep(0.3)
    assert "left lying" in supervisor._look()
    pulse.beat()
    assert supervisor._look() == "", "a worker looks for work"


def test_a_dead_sentinel_is_a_reason_to_begin_again() -> None:
    supervisor = _supervisor()
    sentinel: Any = supervisor.sentinel
    sentinel.kill()
    sentinel.join()
    assert supervisor._look() == "its sentinel died"


def _supervisor() -> Supervisor:
    supervisor = Supervisor()
    begin(gives_signs, Sign.SENTINEL)
    supervisor.sentinel = _begun[-1]
    return supervisor


def until_ended(pid: int) -> None:
    _begun[-1].join(10)
    assert ended(pid)
