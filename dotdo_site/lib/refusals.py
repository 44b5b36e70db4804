"""When the database last refused to write for lack of space, in memory that all processes of the web server share.

Mapped before they are forked. The monotonic clock is the machine's, so it means the same in every process.
"""

import mmap
import struct
import time

REMEMBERED_SECONDS = 15.0
_page = mmap.mmap(-1, mmap.PAGESIZE)
_MOMENT = struct.Struct("d")


def note() -> None:
    """Remember that a write was refused now."""
    _MOMENT.pack_into(_page, 0, time.monotonic())


def forget() -> None:
    """Remember nothing."""
    _MOMENT.pack_into(_page, 0, 0.0)


def lately() -> bool:
    """Tell whether a write was refused a moment ago; without another refusal the next request may try."""
    moment: float = _MOMENT.unpack_from(_page)[0]
    return moment > 0 and time.monotonic() - moment < REMEMBERED_SECONDS
