"""The worker on duty: an idle cluster begins at once what is started, and nobody waits for who is on duty."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django_q.tasks import async_task

from tests.support.cluster import children, cluster, until
from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, state

pytestmark = pytest.mark.usefixtures("handlers")
Cluster = subprocess.Popen[bytes]


def on_duty(process: Cluster) -> int:
    """Return the pid of the worker that has the lock, by what the kernel says; 0 when none has."""
    ours = set(children(process.pid))
    locks = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return next((int(pid) for _, kind, _, _, pid, *_ in locks if kind == "POSIX" and int(pid) in ours), 0)


def named(process: Cluster, name: str) -> int:
    return next(pid for pid in children(process.pid) if Path(f"/proc/{pid}/comm").read_text().strip() == name)


def seconds_to_run() -> float:
    begun = time.monotonic()
    run = start_action("test-echo", {"value": 1})
    until(lambda: state(run) == "succeeded", 20)
    return time.monotonic() - begun


@pytest.fixture(params=["1", "2"])
def idle(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Give a cluster of one worker, and of two, that has nothing to do."""
    with cluster(tmp_path / "log", DOTDO_WORKERS=request.param) as process:
        until(lambda: on_duty(process))
        yield process


def test_what_starts_on_an_idle_cluster_needs_no_hint(idle: Cluster) -> None:
    pusher = named(idle, "dotdo:pusher")
    os.kill(pusher, signal.SIGSTOP)
    try:
        assert seconds_to_run() < 2, "before the watchdog ends who froze"
    finally:
        os.kill(pusher, signal.SIGCONT)


def test_whoever_has_worked_is_on_duty_again(idle: Cluster) -> None:
    for _ in range(4):
        seconds_to_run()
        until(lambda: on_duty(idle), 2)


def test_a_wait_that_ends_is_told_to_who_is_on_duty(idle: Cluster) -> None:
    run = start_workflow(publish("nap", "do: [{nap: {wait: {seconds: 1}}}]"), {})
    until(lambda: state(run) == "succeeded", 5, "sooner than a time slice")


def test_tasks_of_applications_are_not_kept_waiting(idle: Cluster, tmp_path: Path) -> None:
    async_task("os.mkdir", str(tmp_path / "made"))  # type: ignore[no-untyped-call]
    until((tmp_path / "made").exists, 6, "sooner than a time slice")
    until(lambda: on_duty(idle))


def test_a_cluster_with_somebody_on_duty_drains_at_once(idle: Cluster) -> None:
    begun = time.monotonic()
    idle.send_signal(signal.SIGTERM)
    assert idle.wait(35) == 0
    assert time.monotonic() - begun < 5


def test_nobody_waits_for_one_who_froze_on_duty(tmp_path: Path) -> None:
    with cluster(tmp_path / "log") as process:
        frozen = until(lambda: on_duty(process))
        os.kill(frozen, signal.SIGSTOP)
        assert seconds_to_run() < 2, "before the watchdog ends who froze"


def test_another_one_is_on_duty_when_the_one_who_was_dies(tmp_path: Path) -> None:
    with cluster(tmp_path / "log") as process:
        dead = until(lambda: on_duty(process))
        os.kill(dead, signal.SIGKILL)
        until(lambda: on_duty(process) not in (0, dead))
        assert seconds_to_run() < 2
