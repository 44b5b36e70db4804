"""Golden histories: databases that earlier releases left behind, each in one file with its keys and expectations.

The keys in them are those of a world that does not exist.
"""

import io
import json
import lzma
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dotdo_site.backup import run_program
from tests.upgrade.installation import ROOT, Installation

FOLDER = Path(__file__).parent / "golden"
PARTS = {"keys.json": "keys/keys.json", "key": "key", "manifest.json": "manifest.json"}
DATABASE = "database.sql"
# Lines of a dump that only its own version of PostgreSQL knows, and comments.
LEFT_OUT = ("SET transaction_timeout", "\\restrict", "\\unrestrict", "-- ", "--\n")
MAJOR = 18


def files() -> list[Path]:
    """List the histories there are."""
    return sorted(FOLDER.glob("*.tar.xz"))


@contextmanager
def checkout_of(commit: str) -> Iterator[Path]:
    """Give the files of a commit in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="dotdo-checkout-") as folder:
        done = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{commit} is no commit here: {done.stderr.decode().strip()}")
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def save(installation: Installation, path: Path) -> None:
    """Write the database, the keys and what is expected into one file."""
    options = ("--no-owner", "--no-privileges", "--no-comments")
    dump = run_program(MAJOR, "pg_dump", *options, installation.url("postgres"))
    kept = [line for line in dump.splitlines(keepends=True) if not line.startswith(LEFT_OUT)]
    texts = {DATABASE: "".join(kept).encode()}
    texts |= {name: (installation.folder / source).read_bytes() for name, source in PARTS.items()}
    with lzma.open(path, "wb", preset=9 | lzma.PRESET_EXTREME) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in texts.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def load(installation: Installation, path: Path) -> None:
    """Fill a fresh database with a history, as its owner would have it."""
    with tarfile.open(path, "r:xz") as tar:
        texts = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]
    for name, source in PARTS.items():
        (installation.folder / source).parent.mkdir(parents=True, exist_ok=True)
        (installation.folder / source).write_bytes(texts[name])
    url = installation.url("dotdo_owner")
    feed = lambda out: out.write("\\set ON_ERROR_STOP on\n" + texts[DATABASE].decode())  # noqa: E731
    run_program(MAJOR, "psql", "-Xq", "--single-transaction", "-d", url, "-f", "-", feed=feed)


def expected(path: Path) -> int:
    """Return how many runs a history holds."""
    with tarfile.open(path, "r:xz") as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        return len(json.load(manifest))
