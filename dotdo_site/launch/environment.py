"""The virtual environment `.venv`: made from a hash-locked list, and remade or completed when the list changes."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from dotdo_site.launch import machine
from dotdo_site.launch.checkout import PYTHON, ROOT, VENV, LaunchError, say

LISTS = {"run": ROOT / "requirements.txt", "develop": ROOT / "requirements-dev.txt"}
SHOWN_LINES = 25
ANNOUNCE_EVERY = 20


def ensure(profile: str) -> None:
    """Make `.venv` hold the packages of a profile (`run` or `develop`); nothing to do when its stamp matches.

    Raises LaunchError.
    """
    if _is_complete(profile):
        machine.check_disk(machine.RUN_BYTES)
        return
    machine.check_platform()
    machine.check_disk(machine.INSTALL_BYTES)
    if not PYTHON.exists():
        _create()
    _install(profile)
    _stamp(profile).write_text(_digest(profile))
    if profile == "develop" and pins(LISTS["run"]) <= pins(LISTS["develop"]):
        _stamp("run").write_text(_digest("run"))


def pins(requirements: Path) -> set[str]:
    """List the `name==version` pins of a requirements file, with their markers."""
    lines = requirements.read_text().splitlines()
    return {line.rstrip(" \\") for line in lines if "==" in line and not line.startswith((" ", "#"))}


def _is_complete(profile: str) -> bool:
    try:
        return PYTHON.exists() and _stamp(profile).read_text() == _digest(profile)
    except FileNotFoundError:
        return False


def _stamp(profile: str) -> Path:
    return VENV / f"dotdo-{profile}.stamp"


def _digest(profile: str) -> str:
    """Digest what the installed packages follow from: the list, and the Python they were installed for."""
    return hashlib.sha256(LISTS[profile].read_bytes() + (VENV / "pyvenv.cfg").read_bytes()).hexdigest()


def _create() -> None:
    machine.check_ensurepip()
    say(f"Making .venv with Python {sys.version_info.major}.{sys.version_info.minor} ...")
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LaunchError(f"Could not make {VENV}:\n{done.stdout}{done.stderr}")


def _install(profile: str) -> None:
    total = len(pins(LISTS[profile]))
    say(f"Installing the {total} packages of {LISTS[profile].name} (the first time takes a minute or two) ...")
    # fmt: off
    command = [str(PYTHON), "-m", "pip", "install", "--require-hashes", "--no-input", "--disable-pip-version-check",
               "--prefer-binary", "--progress-bar", "off", "-r", str(LISTS[profile])]
    # fmt: on
    lines: list[str] = []
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    for line in pip.stdout or []:
        lines.append(line)
        _show_progress(lines, total)
    if pip.wait() != 0:
        raise LaunchError(
            f"pip could not install {LISTS[profile].name}; its last words:\n{''.join(lines[-SHOWN_LINES:])}"
            "Is the package index within reach? What was installed so far is kept: run the same command again."
        )
    say("Packages are installed.")


def _show_progress(lines: list[str], total: int) -> None:
    if lines[-1].startswith(("Collecting ", "Requirement already satisfied: ")):
        count = sum(line.startswith(("Collecting ", "Requirement already satisfied: ")) for line in lines)
        if count % ANNOUNCE_EVERY == 0:
            say(f"  {count} of {total} ...")
    elif lines[-1].startswith("Installing collected packages"):
        say("  unpacking ...")
