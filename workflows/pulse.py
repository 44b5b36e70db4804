"""When a worker of this cluster last looked for work, in memory that all its processes share.

Mapped before django-q2 forks. The monotonic clock is the machine's, so it means the same in every process.
"""

import mmap
import struct
import time

_page = mmap.mmap(-1, mmap.PAGESIZE)
_MOMENT = struct.Struct("d")


def beat() -> None:
    """Say that a worker looks for work now."""
    _MOMENT.pack_into(_page, 0, time.monotonic())


def last() -> float:
    """Return the monotonic time of the last beat, in seconds; 0 when there was none."""
    moment: float = _MOMENT.unpack_from(_page)[0]
    return moment
