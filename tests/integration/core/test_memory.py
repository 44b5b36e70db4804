"""What a cluster loaded before it forks stays shared: a collection of garbage writes into every object it visits."""

import gc
import os
from pathlib import Path

from workflows import supervision

COPIED_MIB = 8.0  # of more than 60 that are shared


def test_a_collection_in_a_worker_copies_nothing_of_what_it_shares() -> None:
    supervision._share_memory()
    try:
        assert _copied_by_a_collection() < COPIED_MIB
    finally:
        gc.unfreeze()
    assert _copied_by_a_collection() > COPIED_MIB, "or it says nothing"


def _copied_by_a_collection() -> float:
    """Return how many MiB of its own a forked process has more after it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        before = _own_kib()
        gc.collect()
        os.write(writer, str((_own_kib() - before) / 1024).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as answer:
        return float(answer.read())


def _own_kib() -> int:
    line = next(line for line in Path("/proc/self/smaps_rollup").read_text().splitlines() if "Private_Dirty" in line)
    return int(line.split()[1])
