"""What the figures were taken on and with: processors, memory, disk, versions, the server's settings, other work."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import harness

SETTINGS = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "max_connections",
)
PACKAGES = ("Django", "psycopg", "django-q2")
QUIET, LOOKS = 0.2, 16


def describe(server: Any) -> dict[str, Any]:
    """Return everything that a reader needs to judge the figures."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors ({_processor()}), {_memory_gib():.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": server.execute("SHOW server_version").fetchone()[0].split()[0],
        "settings": {name: server.execute(f"SHOW {name}").fetchone()[0] for name in SETTINGS},
        "packages": {name: version(name) for name in PACKAGES},
        "syncs_per_s": _syncs_per_s(),
    }


def commit() -> str:
    """Return the commit that is measured, marked when files were changed since; empty outside a checkout."""
    command = ["git", "-C", str(harness.ROOT), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def quiet() -> float:
    """Wait a few seconds for others to pause; return the share of the processors that they use."""
    busy = 1.0
    for _ in range(LOOKS):
        busy = _busy(0.5)
        if busy < QUIET:
            break
    return busy


def _busy(seconds: float) -> float:
    before = _ticks()
    time.sleep(seconds)
    total, idle = (now - then for now, then in zip(_ticks(), before, strict=True))
    return round(1 - idle / max(1, total), 2)


def _ticks() -> tuple[int, int]:
    values = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(values), values[3] + values[4]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3


def _syncs_per_s(seconds: float = 1.0) -> float:
    """Write a page and flush it, one after the other: what the disk below DOTDO_VAR does at most."""
    path = Path(os.environ["DOTDO_VAR"]) / "sync-probe"
    page, count, begun = b"\0" * 8192, 0, time.monotonic()
    with path.open("wb", buffering=0) as file:
        while time.monotonic() - begun < seconds:
            file.seek(0)
            file.write(page)
            os.fdatasync(file.fileno())
            count += 1
    path.unlink()
    return round(count / seconds)
