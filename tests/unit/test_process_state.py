"""Which processes run, also where /proc does not say, and where a pid means what it says."""

import os
import subprocess
import sys

import pytest

from dotdo_site.lib import process_state


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide all processes, as `hidepid` and `ProtectProc` do."""
    monkeypatch.setattr(process_state, "_stat", lambda _: [])


@pytest.mark.usefixtures("hidden")
def test_a_process_that_proc_does_not_show_is_not_taken_for_dead() -> None:
    assert process_state.alive(os.getpid(), born=1)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not process_state.alive(child.pid)


@pytest.mark.usefixtures("hidden")
def test_a_process_of_somebody_else_that_proc_does_not_show_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert process_state.alive(1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_process_that_nobody_has_reaped_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process_state.alive(child.pid)
    child.communicate()


def test_machines_that_were_cloned_while_they_ran_are_different_places() -> None:
    kernel = "6f1f2d4e-9a0b-4c3d-8e7f-0123456789ab/pid:[4026531836]"
    long = "a" * 63
    places = {process_state.place_of(host, kernel) for host in ("one", "two", f"{long}1", f"{long}2")}
    assert len(places) == 4
    assert all(len(place) <= process_state.PLACE_LENGTH for place in places)
    assert all(place.endswith(kernel) for place in places)
