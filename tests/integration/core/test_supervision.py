"""The supervising process beside other clusters, and on its way out."""

import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from dotdo_site.lib import process_state
from tests.integration.core import test_watch
from tests.integration.core.test_watch import LONG_AGO, begin, sleeps, until_ended, worker_row
from tests.support.engine import start_action
from workflows import pulse, supervision
from workflows.models import Step
from workflows.supervision import Supervisor
from workflows.understudy import _Waking
from workflows.watch import ENDED

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.fixture(autouse=True)
def _end_all() -> Iterator[None]:
    yield
    for process in test_watch._begun:
        process.kill()
        process.join()
    test_watch._begun.clear()


class Process:
    """A process of the cluster that tells what was true when it was waited for."""

    def __init__(self, pid: int = 0) -> None:
        self.pid, self.killed = pid, False
        self.found: list[str] = []

    def is_alive(self) -> bool:
        return not self.killed

    def kill(self) -> None:
        self.killed = True
        if self.pid:
            os.kill(self.pid, 9)
            until_ended(self.pid)

    def join(self, _: float) -> None:
        self.found.append(Step.objects.get().state)


def supervisor(sentinel: int = 0) -> Any:
    supervising: Any = Supervisor()
    supervising.sentinel, supervising.housekeeper = Process(sentinel), Process()
    return supervising


def held() -> int:
    """Let a living worker of this cluster hold the one step."""
    start_action("test-outside", {"file": "/nowhere"})
    pid = begin(sleeps)
    worker_row(pid, process_state.born(pid))
    return pid


def test_a_busy_cluster_beside_a_deaf_one_does_not_speak_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "DEAF_SECONDS", 0.2)
    start_action("test-echo", {"value": 1})
    worker_row(os.getpid(), process_state.born(os.getpid()))  # of this machine, and not of the cluster
    start_action("test-echo", {"value": 2})
    Step.objects.filter(state="ready").update(due_at=LONG_AGO)
    deaf = supervisor()
    time.sleep(0.3)
    assert "left lying" in deaf._look()


def test_a_busy_worker_of_the_cluster_itself_speaks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "DEAF_SECONDS", 0.2)
    held()
    start_action("test-echo", {"value": 2})
    Step.objects.filter(state="ready").update(due_at=LONG_AGO)
    busy = supervisor()
    time.sleep(0.3)
    assert busy._look() == ""


def test_a_drain_frees_steps_before_it_waits_for_the_housekeeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "DRAIN_SECONDS", 0.0)
    draining = supervisor(held())
    monkeypatch.setattr(draining, "_wait_for_sentinel", lambda _: None)
    draining._drain()
    assert set(draining.housekeeper.found) == {"ready"}
    step = Step.objects.get()
    assert step.crashes == 0
    assert ENDED in str(step.attempts.get().error)


def test_a_worker_that_died_by_itself_while_the_cluster_drained_has_crashed(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = held()
    os.kill(pid, 9)
    until_ended(pid)
    draining = supervisor()
    monkeypatch.setattr(draining, "_wait_for_sentinel", lambda _: None)
    draining._drain()
    assert Step.objects.values_list("state", "crashes").get() == ("ready", 1)


def test_a_connection_that_went_stale_during_the_drain_does_not_keep_steps_leased(superuser: Any) -> None:
    pid = held()
    os.kill(pid, 9)
    until_ended(pid)
    draining = supervisor()
    connection.ensure_connection()
    superuser.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
    draining._sign_off(supervision.LAST_LOOKS)
    assert Step.objects.get().state == "ready"


def test_a_drain_does_not_wait_for_a_sentinel_that_a_signal_does_not_reach() -> None:
    pid = begin(sleeps)
    left = supervisor()

    class Unreachable(Process):
        def kill(self) -> None:
            """Be killed, and stay."""

        def join(self, seconds: float) -> None:
            time.sleep(seconds)

    left.sentinel = Unreachable(uuid.uuid4().int & 1)
    left._kill()
    until_ended(pid)
    assert not any(life.pid == pid and life.alive for life in pulse.lives())


def test_a_supervising_process_that_a_debugger_holds_is_named_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []
    monkeypatch.setattr(process_state, "stopped", lambda _: True)
    monkeypatch.setattr(os, "kill", lambda pid, _: told.append(pid))
    waking = _Waking()
    for moment in range(1, 20):
        waking.look(4711, float(moment))
    assert len(told) > 3
    assert len([record for record in caplog.records if "told to go on" in record.message]) == 1
