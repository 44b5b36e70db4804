"""The slots of processes: whoever was ever seen is looked at, however many others came and went."""

import mmap
import os

import pytest

from workflows import pulse
from workflows.pulse import Sign

FIRST = len(Sign)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "_page", mmap.mmap(-1, len(pulse._page)))


def begin(pid: int) -> int:
    slot = pulse.free_slot()
    pulse.clear(slot)
    pulse.enter(slot, pid)
    return slot


def test_workers_take_the_slots_one_after_the_other_so_that_the_rest_need_not_be_looked_at() -> None:
    assert [begin(os.getpid()) for _ in range(3)] == [FIRST, FIRST + 1, FIRST + 2]


def test_one_that_lives_is_seen_behind_many_that_are_gone() -> None:
    gone = 2**22 + 1  # no process has such a number
    slots = [begin(gone) for _ in range(4)]
    last = begin(os.getpid())
    assert {life.slot for life in pulse.lives()} == {*slots, last}


def test_one_that_is_about_to_be_forked_hides_nobody_behind_it() -> None:
    first, second = begin(os.getpid()), begin(os.getpid())
    pulse.clear(first)
    assert [life.slot for life in pulse.lives()] == [second]


def test_the_slot_of_one_that_is_gone_is_used_again_only_when_none_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "_page", mmap.mmap(-1, (FIRST + 3) * pulse._LIFE.size))
    assert [begin(2**22 + 1) for _ in range(4)] == [FIRST, FIRST + 1, FIRST + 2, FIRST]
