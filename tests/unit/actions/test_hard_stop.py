"""A process whose handler holds the interpreter: it ends, says where it was, and no other one does."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actions.alarm import Alarm, HandlerTimeout

ROOT = Path(__file__).resolve().parents[3]
HOLDS = """
import os, sys, time
from actions import hard_stop
def holds(): sum(range(10**13))
"""
THREAD = "hard_stop._LIBC = None\n"
NO_ROOM = "import resource; resource.setrlimit(resource.RLIMIT_SIGPENDING, (0, 0))\n"
STOPPED = "hard_stop.arm(0.5); holds()"
FORKED = """
hard_stop.arm(60.0)
child = os.fork()
if not child:
    hard_stop.arm(0.5); holds()
sys.exit(9 if os.waitpid(child, 0)[1] else 0)
"""


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", HOLDS + code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("way", ["", THREAD, NO_ROOM])
def test_code_that_holds_the_interpreter_ends_its_process_and_says_where_it_was(way: str) -> None:
    done = run(way + STOPPED)
    assert done.returncode != 0
    assert "in holds" in done.stderr


@pytest.mark.parametrize("way", ["", THREAD])
def test_a_process_that_was_disarmed_in_time_lives(way: str) -> None:
    done = run(way + "hard_stop.arm(0.5); hard_stop.disarm(); time.sleep(1); print('lives')")
    assert (done.returncode, done.stdout) == (0, "lives\n")


def test_a_child_that_is_forked_meanwhile_has_a_limit_of_its_own_and_none_of_its_parents() -> None:
    done = run(FORKED)
    assert done.returncode == 9
    assert "in holds" in done.stderr
    done = run("hard_stop.arm(0.5)\nif os.fork(): hard_stop.disarm(); os.wait()\nelse: time.sleep(1); print('lives')")
    assert done.stdout == "lives\n"


@pytest.fixture
def _owner() -> Iterator[None]:
    owner = signal.getsignal(signal.SIGALRM)
    yield
    signal.signal(signal.SIGALRM, owner)


@pytest.mark.usefixtures("_owner")
@pytest.mark.parametrize("hard_stop", [True, False])
def test_a_handler_that_keeps_sigalrm_to_itself_does_not_take_it_from_the_next(hard_stop: bool) -> None:
    Alarm(5, hard_stop=hard_stop).run(lambda: signal.signal(signal.SIGALRM, signal.SIG_IGN))
    alarm = Alarm(0.05, hard_stop=hard_stop)
    with pytest.raises(HandlerTimeout):
        alarm.run(lambda: time.sleep(5))
    assert alarm.fired


@pytest.mark.usefixtures("_owner")
def test_who_owned_sigalrm_owns_it_after_an_attempt_unless_the_process_is_a_workers() -> None:
    def owner(*_: object) -> None: ...

    signal.signal(signal.SIGALRM, owner)
    Alarm(5, hard_stop=False).run(lambda: None)
    assert signal.getsignal(signal.SIGALRM) is owner
    Alarm(5, hard_stop=True).run(lambda: None)
    assert signal.getsignal(signal.SIGALRM) is not owner
