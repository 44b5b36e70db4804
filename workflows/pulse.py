"""When the processes of this cluster last gave a sign of life, in memory that all of them share.

Mapped before they are forked. The monotonic clock is the machine's, so it means the same in every process.
"""

import mmap
import struct
import time
from enum import IntEnum

_page = mmap.mmap(-1, mmap.PAGESIZE)
_MOMENT = struct.Struct("d")


class Sign(IntEnum):
    """Whose sign of life, and what it means."""

    WORKER = 0  # some worker looks for work
    HOUSEKEEPER = 1  # the housekeeper begins a chore, or looks for one


def beat(sign: Sign = Sign.WORKER) -> None:
    """Give a sign of life now."""
    _MOMENT.pack_into(_page, sign * _MOMENT.size, time.monotonic())


def last(sign: Sign = Sign.WORKER) -> float:
    """Return the monotonic time of the last sign, in seconds; 0 when there was none."""
    moment: float = _MOMENT.unpack_from(_page, sign * _MOMENT.size)[0]
    return moment
