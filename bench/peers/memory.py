"""How much memory a process holds, shared pages divided among those that share them."""

from contextlib import suppress
from pathlib import Path


def pss_mib(pid: int) -> float:
    """Return the proportional set size of a process with its descendants, in MiB."""
    return sum(_own_kib(one) for one in family(pid)) / 1024


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for one in found:
        with suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _own_kib(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
