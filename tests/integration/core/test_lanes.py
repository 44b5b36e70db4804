"""Lanes of chores: one that hangs keeps nobody else waiting, is reported, and has the process replaced."""

import inspect
import re
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connections

from audit import pruning, sealing
from tests.support.cluster import until
from tests.support.interleaving import Doing
from workflows import draining, lanes, pulse
from workflows.housekeeping import CHORES, Chore
from workflows.lanes import Lane
from workflows.models import Chore as Row
from workflows.pulse import Sign
from workflows.retention import deleting, removal
from workflows.watch import SILENT_SECONDS

pytestmark = pytest.mark.usefixtures("database")


class Disk:
    """Something that hangs until it is let go."""

    def __init__(self) -> None:
        self.back = threading.Event()
        self.asked = threading.Event()
        self.done: list[str] = []

    def wait(self) -> None:
        self.asked.set()
        self.back.wait(60)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def two(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Lane]]:
    """Run a lane that hangs and one that does not."""
    drains = threading.Event()
    monkeypatch.setattr(draining, "requested", drains.is_set)
    monkeypatch.setattr(lanes, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(Lane, "_look", _closing(Lane._look))
    chores = (
        Chore("audit.anchor", lambda: 3600.0, disk.wait),
        Chore("audit.other", lambda: 3600.0, lambda: None),
        Chore("notices.send", lambda: 0.0, lambda: disk.done.append("sent")),
    )
    found = lanes.lanes_of(chores)
    for lane in found:
        lane.start()
    assert disk.asked.wait(10)
    yield found
    drains.set()
    disk.back.set()
    for lane in found:
        lane.join(10)
        assert not lane.is_alive(), "a lane ends when the cluster drains"


def _closing(look: object) -> object:
    def wrapped(lane: Lane) -> None:
        look(lane)  # type: ignore[operator]
        connections.close_all()  # the next test empties the database

    return wrapped


def test_a_hanging_anchor_delays_no_notification(two: list[Lane], disk: Disk) -> None:
    assert [lane.name for lane in two] == ["audit", "notices"]
    until(lambda: len(disk.done) > 2, 20, "the other lane goes on")
    assert not Row.objects.filter(name="audit.other").exists(), "its own lane waits"


def test_a_hanging_chore_is_reported_once_and_the_process_is_as_silent_as_it(
    two: list[Lane], disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "LATE_SECONDS", 0.3)
    time.sleep(0.5)
    lanes.look_after(two)
    assert "has not come back" in Row.objects.get(name="audit.anchor").error
    assert pulse.last(Sign.HOUSEKEEPER) < time.monotonic() - 0.4
    Row.objects.update(error="")
    lanes.look_after(two)
    assert Row.objects.get(name="audit.anchor").error == ""
    disk.back.set()
    until(lambda: two[0].silence() < 0.2, 20, "it gives signs again")
    assert not two[0].reported


def test_a_chore_that_gives_signs_is_not_taken_for_one_that_hangs() -> None:
    lane = Lane("audit", ())
    lane.moment = time.monotonic() - 1_000
    pulse.sign()
    assert lane.silence() > 900, "a thread without a lane signs for none"

    def work() -> None:
        pulse.sign_by(lane.sign)
        pulse.sign()

    Doing(work).done()
    assert lane.silence() < 60


def test_the_patience_with_a_chore_is_longer_than_its_longest_statement() -> None:
    sources = [inspect.getsource(module) for module in (deleting, removal, pruning, sealing)]
    limits = [float(limit) for text in sources for limit in re.findall(r"statement_timeout', '(\d+)s'", text)]
    assert limits
    assert max(limits) < lanes.LATE_SECONDS < SILENT_SECONDS[Sign.HOUSEKEEPER]


def test_mail_anchors_and_retention_have_lanes_of_their_own() -> None:
    names = [lane.name for lane in lanes.lanes_of(CHORES)]
    assert {"notices", "failures", "audit", "retention", "rollups"} <= set(names)
    assert len(names) == len(set(names))
