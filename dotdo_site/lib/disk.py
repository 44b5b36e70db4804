"""Files that are on the disk when a function returns, whatever happens to the machine afterwards."""

import os
from collections.abc import Iterable
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_new(path: Path, texts: Iterable[str]) -> None:
    """Write a private file that does not exist yet, and wait until it is on the disk. Raises OSError."""
    with path.open("x", encoding="utf-8", newline="") as file:
        path.chmod(0o600)
        file.writelines(texts)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
