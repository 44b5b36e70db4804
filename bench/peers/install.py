"""Each peer in a virtual environment of its own, made from its pinned list; a server that it needs comes from npm."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

LISTS = Path(__file__).parent / "requirements"
SECONDS = 600
SHOWN = 300


class NotInstalled(Exception):
    """A peer cannot be installed here; the message says why."""


def install(name: str, folder: Path) -> Path:
    """Make the environment of a peer, or find it complete; return its Python. Raises NotInstalled."""
    place = folder / name
    python = place / "bin" / "python"
    stamp, digest = place / "bench.stamp", _digest(name)
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(place, ignore_errors=True)
        print(f"installing {name} ...", flush=True)
        _run([sys.executable, "-m", "venv", str(place)])
        _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(_list(name))])
        if _npm_list(name).exists():
            packages = _npm_list(name).read_text().split()
            _run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(npm(place)), *packages])
        stamp.write_text(digest)
    return python


def npm(place: Path) -> Path:
    """Return where the packages of npm are in a peer's environment."""
    return place / "npm"


def _list(name: str) -> Path:
    return LISTS / f"{name}.txt"


def _npm_list(name: str) -> Path:
    return LISTS / f"{name}.npm.txt"


def _digest(name: str) -> str:
    lists = [path.read_bytes() for path in (_list(name), _npm_list(name)) if path.exists()]
    return hashlib.sha256(sys.version.encode() + b"".join(lists)).hexdigest()


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
    except FileNotFoundError as error:
        raise NotInstalled(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{Path(command[0]).name} did not end in {SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        words = " ".join(error.stderr.split())[-SHOWN:]
        raise NotInstalled(f"{Path(command[0]).name} failed: {words}") from error
