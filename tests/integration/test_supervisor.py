"""The supervisor with real processes in the place of web server and cluster."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dotdo_site import embedded_postgres
from dotdo_site.launch.checkout import ROOT
from dotdo_site.launch.output import Output
from dotdo_site.launch.processes import Process
from dotdo_site.launch.supervisor import Supervisor
from dotdo_site.launch.up import postmaster
from dotdo_site.lib.parent_death import children

DRAINS = """
import signal, sys, time
def drain(*_):
    print("draining", flush=True); time.sleep(0.5); print("drained", flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, drain); print("working", flush=True); time.sleep(600)
"""
REFUSES = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(600)"
LEAVES_A_CHILD = """
import os, signal, time
if os.fork() == 0:
    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("orphan", os.getpid(), flush=True); time.sleep(600)
time.sleep(600)
"""
TELLS_ITS_PID = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
SUPERVISES = """
import os, sys
from pathlib import Path
from dotdo_site.launch.processes import Process
from dotdo_site.launch.supervisor import Supervisor
group = Supervisor(os.environ, Path("."))
group.catch_signals()
group.start([Process("one", (sys.executable, "-c", CODE))])
while not group.stop_requests:
    group.tick()
group.stop()
print("all stopped", flush=True)
"""


@pytest.fixture
def group() -> Iterator[Supervisor]:
    """Give a supervisor that stops whatever the test left running."""
    others = children()  # of this very process, such as the tests' database
    supervisor = Supervisor(os.environ, ROOT, Output(coloured=False), drain_seconds=5, spare=lambda: others)
    yield supervisor
    supervisor.drain_seconds = 0
    supervisor.stop()


def python(name: str, code: str, stage: int = 1) -> Process:
    """Make a row of the table that runs some Python."""
    return Process(name, (sys.executable, "-u", "-c", code), stop_stage=stage)


def tick_until(group: Supervisor, said: Callable[[], bool]) -> None:
    """Let the supervisor work until something has been said, at most 20 s."""
    deadline = time.monotonic() + 20
    while not said():
        assert time.monotonic() < deadline
        group.tick()


class Screen:
    """Collects what has been printed so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys, self.text = capsys, ""

    def shows(self, text: str, times: int = 1) -> bool:
        """Tell whether `text` has been printed at least so many times."""
        self.text += self.capsys.readouterr().out
        return self.text.count(text) >= times


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str]) -> Screen:
    """Give the terminal."""
    return Screen(capsys)


def test_a_process_that_dies_is_started_again_and_said(group: Supervisor, screen: Screen) -> None:
    group.start([python("web", "print('up'); raise SystemExit(3)")])
    tick_until(group, lambda: screen.shows("web     | up", times=2))
    assert "web ended with code 3 after 0 s; starting it again in 0.5 s" in screen.text


def test_a_killed_process_is_named_by_its_signal(group: Supervisor, screen: Screen) -> None:
    group.start([python("web", "import os; os.kill(os.getpid(), 9)")])
    tick_until(group, lambda: screen.shows("web was killed by SIGKILL"))


def test_restarts_slow_down_while_a_process_keeps_dying(group: Supervisor, screen: Screen) -> None:
    group.start([python("web", "raise SystemExit(1)")])
    tick_until(group, lambda: screen.shows("again in 2 s"))
    assert screen.text.index("again in 0.5 s") < screen.text.index("again in 1 s") < screen.text.index("again in 2 s")


def test_work_in_flight_finishes_before_the_stop(group: Supervisor, screen: Screen) -> None:
    group.start([python("cluster", DRAINS)])
    tick_until(group, lambda: screen.shows("working"))
    group.stop()
    assert screen.shows("drained")
    assert "killed" not in screen.text


def test_what_the_cluster_calls_outlives_the_drain(group: Supervisor, screen: Screen) -> None:
    group.start([python("demo", DRAINS.replace("drain", "quit"), stage=2), python("cluster", DRAINS)])
    tick_until(group, lambda: screen.shows("working", times=2))
    group.stop()
    assert screen.shows("demo    | quited")
    assert screen.text.index("cluster | drained") < screen.text.index("demo    | quiting")


def test_a_process_that_does_not_drain_is_killed_and_said(group: Supervisor, screen: Screen) -> None:
    group.drain_seconds = 0.5
    group.start([python("cluster", REFUSES)])
    tick_until(group, lambda: screen.shows("deaf"))
    group.stop()
    assert screen.shows("cluster did not drain in time and is killed")


def test_a_second_request_to_stop_hurries(group: Supervisor, screen: Screen) -> None:
    group.drain_seconds = 60
    group.start([python("cluster", REFUSES)])
    tick_until(group, lambda: screen.shows("deaf"))
    previous = signal.signal(signal.SIGALRM, lambda *_: group.request_stop())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        began = time.monotonic()
        group.stop()
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert time.monotonic() - began < 10


def test_one_signal_that_arrives_by_two_ways_is_one_request(group: Supervisor) -> None:
    group.request_stop()
    group.request_stop()
    assert group.stop_requests == 1


def test_the_output_of_a_command_and_its_code_come_back(group: Supervisor, screen: Screen) -> None:
    assert group.run_once("migrate", (sys.executable, "-c", "print('applied'); raise SystemExit(7)")) == 7
    assert screen.shows("migrate | applied")


def test_a_stop_during_a_command_ends_it(group: Supervisor) -> None:
    group.request_stop()
    assert group.run_once("migrate", (sys.executable, "-c", "import time; time.sleep(600)")) == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_no_orphan_survives_a_stop_even_outside_its_group(tmp_path: Path) -> None:
    supervisor = _run(SUPERVISES.replace("CODE", repr(LEAVES_A_CHILD)))
    orphan = _number_in(_line(supervisor, "orphan"))
    supervisor.send_signal(signal.SIGTERM)
    assert "all stopped" in supervisor.communicate(timeout=60)[0]
    _await_end(orphan)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_processes_follow_a_killed_supervisor() -> None:
    supervisor = _run(SUPERVISES.replace("CODE", repr(TELLS_ITS_PID)))
    child = _number_in(_line(supervisor, "one"))
    supervisor.kill()
    supervisor.communicate(timeout=60)
    _await_end(child)


def _run(code: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _line(process: "subprocess.Popen[str]", word: str) -> str:
    assert process.stdout is not None
    return next(line for line in process.stdout if word in line)


def _number_in(line: str) -> int:
    return next(int(word) for word in line.split() if word.isdecimal())


def _await_end(pid: int) -> None:
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} still lives"
        time.sleep(0.05)


def test_a_database_that_was_given_up_while_it_recovered_is_not_killed_as_an_orphan(tmp_path: Path) -> None:
    others, var = children(), tmp_path / "var"
    lost = embedded_postgres.start(var).process  # nobody keeps what `start` would have returned
    try:
        Supervisor(os.environ, ROOT, Output(coloured=False), spare=lambda: others | postmaster(var)).stop()
        assert lost is not None
        assert lost.poll() is None
        assert embedded_postgres.is_running(var)
    finally:
        embedded_postgres.remove(var)
