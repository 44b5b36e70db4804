"""The files that deleted runs are kept in: gzip, one line of JSON for each run, complete and on disk before it counts.

A file is written under another name, and renamed when everything else has succeeded. The folder may be one that
several hosts share: names are unique.
"""

import gzip
import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from dotdo_site.lib.disk import sync_folder
from dotdo_site.lib.ids import uuid7

PART = ".part"
LEFT_AFTER_SECONDS = 24 * 3600.0
BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is complete on disk under its temporary name; `name` is the one it will have in the folder."""

    folder: Path
    name: str
    sha256: str

    def keep(self) -> None:
        """Give it its name, for good. Raises OSError."""
        path = self.folder / self.name
        Path(f"{path}{PART}").rename(path)
        sync_folder(path.parent)

    def discard(self) -> None:
        """Take it away: what it holds is not going to be deleted."""
        Path(f"{self.folder / self.name}{PART}").unlink(missing_ok=True)


def write(folder: Path, definition: str, at: datetime, pieces: Iterable[str]) -> Written:
    """Write text to a file of its own for a definition, readable by its owner only. Raises OSError."""
    name = f"{definition}/{at:%Y-%m}/{uuid7()}.ndjson.gz"
    path = Path(f"{folder / name}{PART}")
    _make(path.parent)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - a mode
            digest = _write(file, pieces)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Written(folder, name, digest)


def clear(folder: Path) -> None:
    """Remove what writers left that were killed a day ago or more."""
    for path in folder.glob(f"*/*/*{PART}"):
        if time.time() - path.stat().st_mtime > LEFT_AFTER_SECONDS:
            path.unlink(missing_ok=True)


class _Hashing:
    """A file that computes the digest of what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sha256 = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _write(file: BinaryIO, pieces: Iterable[str]) -> str:
    hashing = _Hashing(file)
    with gzip.GzipFile(filename="", mode="wb", fileobj=hashing, mtime=0) as packed:
        waiting, length = list[str](), 0
        for piece in pieces:
            waiting.append(piece)
            length += len(piece)
            if length > BLOCK:
                packed.write("".join(waiting).encode())
                waiting, length = [], 0
        packed.write("".join(waiting).encode())
    return hashing.sha256.hexdigest()


def _make(folder: Path) -> None:
    """Make a folder and those above it that are missing, on disk as well."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)
