"""Identifiers: UUIDv7 (RFC 9562), so that primary keys grow with time and index pages stay dense."""

import os
import time
import uuid

_VERSION, _VARIANT = 0x7 << 76, 0x2 << 62


def uuid7() -> uuid.UUID:
    """Return a new UUIDv7: 60 bits of time, in steps of a quarter of a microsecond, then 62 random bits.

    The steps of a run that one process begins within a millisecond sort as they began (RFC 9562, 6.2, method 3).
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return uuid.UUID(int=milliseconds << 80 | _VERSION | rest * 4096 // 1_000_000 << 64 | _VARIANT | random)
