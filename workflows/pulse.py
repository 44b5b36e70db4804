"""Signs of life of a cluster's processes, in memory that all of them share.

Mapped before they are forked. Each process has a slot: who it is, when it last gave a sign, and until when the handler
that it runs may take. The monotonic clock is the machine's, so a moment means the same in every process. The other way
round, a worker's slot tells it that an operator wants it to take no further step.
"""

import mmap
import struct
import threading
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

from dotdo_site.lib import process_state, signs

WORKER_SLOTS = 2_048  # many more than workers: what a dead one left is read before its slot is used again


class Sign(IntEnum):
    """The slots of single processes; workers share the first one, to say that any of them looks for work."""

    WORKER = 0
    HOUSEKEEPER = 1
    MAIN = 2
    SENTINEL = 3
    PUSHER = 4
    MONITOR = 5


class Life(NamedTuple):
    """What a slot says. `born` tells a process from a later one with the same pid; `limit` 0: no handler runs.

    `drains`: it takes no further step.
    """

    slot: int
    pid: int
    born: int
    moment: float
    limit: float
    drains: bool

    @property
    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self.pid != 0 and process_state.alive(self.pid, self.born)


_LIFE = struct.Struct("qqdd?")
_WHO = struct.Struct("qq")
_MOMENT = struct.Struct("d")
_DRAINS = struct.Struct("?")
_MOMENT_AT, _LIMIT_AT, _DRAINS_AT = 16, 24, 32
_page = mmap.mmap(-1, (len(Sign) + WORKER_SLOTS) * _LIFE.size)
_own: int | None = None
_thread = threading.local()


def beat(sign: Sign = Sign.WORKER, moment: float | None = None) -> None:
    """Give a sign of life, now or as of a moment."""
    _MOMENT.pack_into(_page, sign * _LIFE.size + _MOMENT_AT, time.monotonic() if moment is None else moment)


def last(sign: Sign = Sign.WORKER) -> float:
    """Return the monotonic time of the last sign, in seconds; 0 when there was none."""
    return read(sign).moment


def sign() -> None:
    """Give a sign of life in this process's own slot, or of this thread alone; costs next to nothing, works anywhere.

    Whoever works for long calls it between two statements.
    """
    instead: Callable[[], None] | None = getattr(_thread, "sign", None)
    if instead is not None:
        instead()
    elif _own is not None:
        _MOMENT.pack_into(_page, _own * _LIFE.size + _MOMENT_AT, time.monotonic())


def sign_by(give: Callable[[], None]) -> None:
    """Let the signs of this thread be its own, apart from those of the process."""
    _thread.sign = give


class handling:  # noqa: N801 - used as a statement; a generator would cost an attempt more than what it does
    """Say that a handler runs, which must be over, one way or the other, after so many seconds."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        _set_limit(time.monotonic() + self.seconds)

    def __exit__(self, *_: object) -> None:
        _set_limit(0.0)
        sign()


def free_slot() -> int:
    """Return the slot for another worker: of those whose process is gone, the one that was silent longest."""
    dead = (life for life in _all() if life.slot >= len(Sign) and not life.alive)
    return min(dead, key=lambda life: life.moment).slot


def clear(slot: int) -> None:
    """Make a slot ready for another process, before that is forked: from then on the moments are its own to write."""
    _LIFE.pack_into(_page, slot * _LIFE.size, 0, 0, time.monotonic(), 0.0, False)


def enter(slot: int, pid: int) -> None:
    """Write who has a slot from now on; called by whoever forked the process."""
    _WHO.pack_into(_page, slot * _LIFE.size, pid, process_state.born(pid))


def own(slot: int) -> None:
    """Make a slot this process's own."""
    global _own  # noqa: PLW0603 - one per process is the point
    _own = slot


def drain(slot: int, drains: bool) -> None:
    """Tell the worker in a slot whether to take further steps."""
    _DRAINS.pack_into(_page, slot * _LIFE.size + _DRAINS_AT, drains)


def drained() -> bool:
    """Tell whether this process is to take no further step."""
    return _own is not None and read(_own).drains


def all_drained() -> bool:
    """Tell whether none of this cluster's workers is to take a step."""
    workers = [life for life in lives() if life.slot >= len(Sign) and life.alive]
    return bool(workers) and all(life.drains for life in workers)


def lives() -> list[Life]:
    """Return what the slots say that were ever used."""
    return [life for life in _used() if life.pid]


def role(slot: int) -> str:
    """Return what the process in a slot does, in one word."""
    return Sign(slot).name.lower() if slot in list(Sign) else Sign.WORKER.name.lower()


def _set_limit(moment: float) -> None:
    if _own is not None:
        _MOMENT.pack_into(_page, _own * _LIFE.size + _LIMIT_AT, moment)


def _all() -> Iterator[Life]:
    return (Life(slot, *fields) for slot, fields in enumerate(_LIFE.iter_unpack(_page[:])))


def _used() -> Iterator[Life]:
    """Leave out what comes after the first worker's slot that was never used: `free_slot` takes the first of those."""
    for life in _all():
        if life.slot >= len(Sign) and not life.moment:
            return
        yield life


def read(slot: int) -> Life:
    """Return what one slot says."""
    return Life(slot, *_LIFE.unpack_from(_page, slot * _LIFE.size))


signs.register(sign)
